# SPDX-License-Identifier: Apache-2.0
"""Files that tasks are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier.errors import UsageError
from verifier.network_file import content_of as network_bytes

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["file_bytes", "network_bytes"]


def file_bytes(path: Path) -> bytes:
    """Return the bytes of a file as they are; its reader may find them compressed.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise UsageError(msg) from error
