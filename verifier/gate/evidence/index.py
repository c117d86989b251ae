# SPDX-License-Identifier: Apache-2.0
"""``manifest.json``: SHA-256 and size of every file of a pack but itself and the signature."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from verifier.errors import CorruptFileError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = "mucg4-evidence/1"
INDEX = "manifest.json"
ENVELOPE = "statement.intoto.jsonl"
MOST_PATH_CHARACTERS = 512


@dataclass(frozen=True)
class Listed:
    """What is known of a file.

    Attributes:
        sha256: In hexadecimal.
        size: In bytes.
    """

    sha256: str
    size: int

    @classmethod
    def of(cls, content: bytes) -> Listed:
        """Return what is known of this content."""
        return cls(hashlib.sha256(content).hexdigest(), len(content))


def index_json(files: Mapping[str, Listed]) -> dict[str, Any]:
    """Return the index of files, by their paths in the pack."""
    entries = [
        {"path": path, "sha256": files[path].sha256, "size": files[path].size}
        for path in sorted(files)
    ]
    return {"format": FORMAT, "files": entries}


def read_index(content: bytes) -> dict[str, Listed]:
    """Return the files that an index names.

    Raises:
        CorruptFileError: It is none, or names what no pack has: a path out of the folder, twice
            the same, or one of the two files that cannot be in it.
    """
    try:
        document = json.loads(content)
        entries = [(each["path"], each["sha256"], each["size"]) for each in document["files"]]
        is_known = document["format"] == FORMAT
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        msg = f"{INDEX}: malformed: {type(error).__name__}: {error}"
        raise CorruptFileError(msg) from error
    files: dict[str, Listed] = {}
    for path, sha256, size in entries:
        if not _is_inside(path) or path in files or path in {INDEX, ENVELOPE}:
            msg = f"{INDEX}: no path of a pack, or twice the same: {path!r}"
            raise CorruptFileError(msg)
        if not isinstance(sha256, str) or type(size) is not int or size < 0:
            msg = f"{INDEX}: {path}: no SHA-256 and size"
            raise CorruptFileError(msg)
        files[path] = Listed(sha256, size)
    if not is_known:
        msg = f"{INDEX}: not in the format {FORMAT!r}"
        raise CorruptFileError(msg)
    return files


def _is_inside(path: Any) -> bool:
    if not isinstance(path, str) or not 0 < len(path) <= MOST_PATH_CHARACTERS:
        return False
    pure = PurePosixPath(path)
    is_plain = bool(pure.parts) and path.isprintable() and "\\" not in path and str(pure) == path
    return is_plain and not pure.is_absolute() and ".." not in pure.parts
