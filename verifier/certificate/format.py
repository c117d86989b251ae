# SPDX-License-Identifier: Apache-2.0
"""The certificate as plain values, and as a file.

``docs/certificate-format.md`` says what each field means and what the checker does with it. All
numbers are float64 values taken exactly, or strings ``p/q``.

A file carries a digest of its content, so that one that was changed on its way is told from one
that was written wrong. The checker believes neither: it proves again whatever a certificate says.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from typing import TYPE_CHECKING, Any

from verifier.errors import CorruptFileError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = "mucg4-certificate/1"
GZIP_MAGIC = b"\x1f\x8b"
MOST_BYTES = 1 << 28
"""The longest certificate, unpacked: a megabyte can be made to unpack to a gigabyte."""


def write_certificate(document: Mapping[str, Any], path: Path) -> None:
    """Write a certificate with its digest, compressed when the name ends in ``.gz``.

    Raises:
        RefusedError: It is longer than what is read again.
    """
    data = _canonical({**document, "digest": digest(document)})
    if len(data) > MOST_BYTES:
        msg = f"the certificate would have {len(data)} bytes; at most {MOST_BYTES} are read"
        raise RefusedError(msg)
    # mtime 0: the same certificate gives the same bytes.
    path.write_bytes(gzip.compress(data, 6, mtime=0) if path.suffix == ".gz" else data)


def read_certificate(path: Path) -> dict[str, Any]:
    """Read a certificate file; its content is not looked at beyond format and digest.

    Raises:
        CorruptFileError: The file is damaged, was changed, or is not a certificate.
    """
    try:
        with path.open("rb") as file:
            is_compressed = file.read(2) == GZIP_MAGIC
        opener = gzip.open if is_compressed else open
        with opener(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            packed = ", unpacked" if is_compressed else ""
            msg = f"{path}: a certificate of more than {MOST_BYTES} bytes{packed}"
            raise CorruptFileError(msg)
        document = json.loads(data)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            msg = f"{path}: not a certificate in the format {FORMAT!r}"
            raise CorruptFileError(msg)
        written, found = document.get("digest"), digest(document)
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        msg = f"{path}: not a certificate: {error}"
        raise CorruptFileError(msg) from error
    if written is None:
        msg = f"{path}: a certificate without digest: write it anew"
        raise CorruptFileError(msg)
    if written != found:
        msg = f"{path}: changed after it was written: digest {written!r}, of the content {found!r}"
        raise CorruptFileError(msg)
    return {key: value for key, value in document.items() if key != "digest"}


def digest(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a certificate's content but for the digest, in hexadecimal."""
    content = {key: value for key, value in document.items() if key != "digest"}
    return hashlib.sha256(_canonical(content)).hexdigest()


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
