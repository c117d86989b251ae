# SPDX-License-Identifier: Apache-2.0
"""Files that a command reads and writes.

Everything that can be known to go wrong is checked before the work starts: an hour's proof must
not be lost to a misspelt folder. Writing goes to a temporary file in the same folder that is then
renamed, so a file is either the old one or the whole new one; and never over an input.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


def check_inputs(paths: Iterable[Path | None]) -> None:
    """Check that files can be read.

    Raises:
        UsageError: One cannot.
    """
    for path in paths:
        if path is None:
            continue
        if not path.exists():
            msg = f"{path}: there is no such file"
            raise UsageError(msg)
        if path.is_dir() or not os.access(path, os.R_OK):
            reason = "it is a folder" if path.is_dir() else "permission denied"
            msg = f"{path}: cannot be read: {reason}"
            raise UsageError(msg)


def check_outputs(outputs: Iterable[Path | None], inputs: Iterable[Path | None]) -> None:
    """Check that files can be written, are distinct, and that none of them is an input.

    Raises:
        UsageError: One cannot be written, or would replace another.
    """
    wanted = [path for path in outputs if path is not None]
    given = [path for path in inputs if path is not None]
    for number, path in enumerate(wanted):
        for other, what in [
            *((other, "is read by this command") for other in given),
            *((other, "is written twice") for other in wanted[:number]),
        ]:
            if _is_same(path, other):
                msg = f"{path}: would be overwritten, but it {what}; give another name"
                raise UsageError(msg)
        folder = path.resolve().parent
        if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
            reason = "it is a folder" if path.is_dir() else f"cannot write to folder {folder}"
            msg = f"{path}: cannot be written: {reason}"
            raise UsageError(msg)


def write(path: Path, writer: Callable[[Path], object]) -> None:
    """Write a file as a whole or not at all.

    Args:
        path: The file. A device or a pipe is written to as it is, a link is followed.
        writer: Writes the content to the path that it is given, which has the same suffix.

    Raises:
        UsageError: It cannot be written.
    """
    target = path.resolve()
    is_special = target.exists() and not target.is_file()
    name = f".{target.stem}.{secrets.token_hex(4)}{target.suffix}"
    place = target if is_special else target.with_name(name)
    try:
        writer(place)
        if not is_special:
            place.replace(target)
    except OSError as error:
        msg = f"{path}: cannot be written: {error.strerror or error}"
        raise UsageError(msg) from error
    finally:
        if not is_special:
            place.unlink(missing_ok=True)


def _is_same(path: Path, other: Path) -> bool:
    if path.resolve() == other.resolve():
        return True
    return path.is_file() and other.is_file() and path.samefile(other)
