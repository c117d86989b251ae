# SPDX-License-Identifier: Apache-2.0
"""Certificates as files, and the arithmetic that reads them where flint is missing."""

from __future__ import annotations

import gzip
import json
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from tests.certificate.tiny import half, network, split_on_a_phase
from verifier.certificate import format as format_
from verifier.certificate.checker import check_certificate
from verifier.certificate.format import digest, read_certificate, write_certificate
from verifier.certificate.integer_matrix import PlainArithmetic, fastest_arithmetic
from verifier.errors import CorruptFileError, RefusedError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["certificate.json", "certificate.json.gz"])
def test_a_certificate_is_read_back_and_accepted(tmp_path: Path, name: str) -> None:
    write_certificate(split_on_a_phase(), tmp_path / name)

    document = read_certificate(tmp_path / name)

    assert document == split_on_a_phase()
    assert check_certificate(document, network(), half()).accepted


def test_the_same_certificate_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        write_certificate(split_on_a_phase(), tmp_path / name)

    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


FULL = json.dumps({**split_on_a_phase(), "digest": digest(split_on_a_phase())}).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        FULL[:-1],
        b"[" * 100_000,
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        FULL.replace(b"certificate/1", b"certificate/2"),
        gzip.compress(FULL)[:-9],
        gzip.compress(FULL)[:20] + b"\0" * 40,
        b'{"format": "mucg4-certificate/1", "n": ' + b"9" * 5000 + b"}",
        json.dumps(split_on_a_phase()).encode(),
        FULL.replace(b'"digest": "', b'"digest": "0'),
        FULL.replace(b'"verdict": "holds"', b'"verdict": "violated"'),
        FULL.replace(b'"clauses": [[]]', b'"clauses": [[], []]'),
    ],
    ids=range(15),
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "certificate.json"
    path.write_bytes(content)

    with pytest.raises(CorruptFileError, match=r"certificate\.json"):
        read_certificate(path)


def test_spaces_and_the_order_of_fields_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    fields = json.loads(FULL)
    path.write_text(json.dumps(dict(reversed(fields.items())), indent=2))

    assert read_certificate(path) == split_on_a_phase()


def test_a_changed_file_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    path.write_bytes(FULL.replace(b'"clauses": [[]]', b'"clauses": [[], []]'))

    with pytest.raises(CorruptFileError, match="changed after it was written"):
        read_certificate(path)


def test_without_flint_the_standard_library_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flint", None)

    assert isinstance(fastest_arithmetic(), PlainArithmetic)
    assert check_certificate(split_on_a_phase(), network(), half()).accepted


@pytest.mark.parametrize("name", ["certificate.json", "certificate.json.gz"])
def test_a_certificate_that_is_too_long_is_neither_written_nor_read(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    write_certificate(split_on_a_phase(), path)
    monkeypatch.setattr(format_, "MOST_BYTES", 100)

    with pytest.raises(CorruptFileError, match="more than 100 bytes"):
        read_certificate(path)
    with pytest.raises(RefusedError, match="at most 100 are read"):
        write_certificate(split_on_a_phase(), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_bomb_takes_no_more_memory_than_the_longest_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, least = tmp_path / "certificate.json.gz", 64 << 20
    path.write_bytes(gzip.compress(b" " * least + FULL, 9))
    assert path.stat().st_size < least / 500
    monkeypatch.setattr(format_, "MOST_BYTES", 1 << 20)

    tracemalloc.start()
    try:
        with pytest.raises(CorruptFileError, match="more than 1048576 bytes, unpacked"):
            read_certificate(path)
        assert tracemalloc.get_traced_memory()[1] < least / 8
    finally:
        tracemalloc.stop()


def test_the_longest_certificate_is_known() -> None:
    assert format_.MOST_BYTES == 256 << 20
