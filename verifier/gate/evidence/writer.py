# SPDX-License-Identifier: Apache-2.0
"""Writes an evidence pack: as a whole, or not at all."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from verifier.errors import RefusedError, UsageError, VerifierError
from verifier.gate.evidence.html import html_of
from verifier.gate.evidence.index import ENVELOPE, INDEX, Listed, index_json
from verifier.gate.evidence.layout import content_of, layout_of
from verifier.gate.evidence.page import page_of
from verifier.gate.evidence.pdf import pdf_of
from verifier.gate.evidence.property_words import in_words
from verifier.gate.evidence.record import LOG, RECORD, checker_log, record_json
from verifier.gate.evidence.signature import sealed
from verifier.gate.evidence.statement import statement_of
from verifier.spec.vnnlib_reader import read_vnnlib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from verifier.gate.check import Report
    from verifier.gate.evidence.layout import Input
    from verifier.gate.evidence.signature import SigningKey


def check_new(folder: Path) -> None:
    """Check that a pack can be written here.

    Raises:
        UsageError: There is something already, or the folder around it cannot be written to.
    """
    target = folder.resolve()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        msg = f"{folder}: is there already; a pack is written to a new or an empty folder"
        raise UsageError(msg)
    if not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
        msg = f"{folder}: cannot be written: cannot write to folder {target.parent}"
        raise UsageError(msg)


def write_pack(report: Report, folder: Path, key: SigningKey) -> None:
    """Write the pack of a report in which verdicts count only with certificates.

    Raises:
        UsageError: It cannot be written.
        RefusedError: No network could be read: there is nothing that a statement could be about.
    """
    layout = layout_of(report)
    if not layout.networks:
        msg = "no network could be read or made, so there is nothing to give evidence of"
        raise RefusedError(msg)
    with _whole(folder) as place:
        files: dict[str, Listed] = {}

        def write(path: str, content: bytes) -> None:
            target = place / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            files[path] = Listed.of(content)

        write(layout.request, report.manifest.content)
        for path, content in content_of(layout).items():
            write(path, content)
        words = {each.id: _words(place, each) for each in layout.properties}
        page = page_of(report, layout, words, key.public.id)
        write("report.html", html_of(page).encode())
        write("report.pdf", pdf_of(page))
        record = record_json(report, layout)
        write(RECORD, _json(record))
        write(LOG, checker_log(layout).encode())
        index = _json(index_json(files))
        (place / INDEX).write_bytes(index)
        statement = statement_of(record, files, Listed.of(index).sha256)
        (place / ENVELOPE).write_bytes(sealed(_json(statement), key))


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=1, allow_nan=False).encode() + b"\n"


def _words(place: Path, file: Input) -> tuple[str, ...]:
    try:
        return in_words(read_vnnlib(place / file.path))
    except VerifierError as error:
        return (f"It cannot be read: {str(error).replace(f'{place}/', '')}",)


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """Yield a folder beside another, which it becomes when all went well."""
    target = folder.resolve()
    place = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        place.mkdir()
        yield place
        place.rename(target)
    except OSError as error:
        msg = f"{folder}: cannot be written: {error.strerror or error}"
        raise UsageError(msg) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)
