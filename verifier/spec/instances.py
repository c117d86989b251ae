# SPDX-License-Identifier: Apache-2.0
"""Reads ``instances.csv`` of VNN-COMP: which queries to answer about which networks, how long each.

A row is network, query, seconds. The first column is a file in the form of the competitions that
use VNN-LIB 1.0; with VNN-LIB 2.0 it may be a list of names and files, as Python writes it:
``"[('f', 'onnx/a.onnx'), ('g', 'onnx/b.onnx')]"``. It is matched, never evaluated. Benchmarks keep
files compressed; where both ``NAME`` and ``NAME.gz`` lie there, the latter counts, since loose
files have been found stale.
"""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES = 1 << 26
_TEXT = r"""(?:'([^'"\\\[\]]*)'|"([^'"\\\[\]]*)")"""
_PAIR = re.compile(rf"\s*[(\[]\s*{_TEXT}\s*,\s*{_TEXT}\s*,?\s*[)\]]\s*")
_COLUMNS = 3


@dataclass(frozen=True)
class Instance:
    """A question.

    Attributes:
        networks: Name and file of each network. A row with one file names none: the name is empty.
        query: The query's file.
        timeout_seconds: How long it may take.
        line: Line of the table, counted from 1.
    """

    networks: tuple[tuple[str, Path], ...]
    query: Path
    timeout_seconds: float
    line: int


def read_instances(path: Path) -> tuple[Instance, ...]:
    """Read a table; files in it are relative to its folder.

    Raises:
        UsageError: The table cannot be read, or a row is malformed or names a file outside of the
            table's folder.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            msg = f"{path}: longer than {_MOST_BYTES} bytes"
            raise UsageError(msg)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise UsageError(msg) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: list[Instance] = []
    try:
        found.extend(_instance(path, row, reader.line_num) for row in reader if any(row))
    except csv.Error as error:
        msg = f"{path}:{reader.line_num}: {error}"
        raise UsageError(msg) from error
    return tuple(found)


def _instance(path: Path, row: list[str], line: int) -> Instance:
    place = f"{path}:{line}"
    if len(row) != _COLUMNS:
        msg = f"{place}: {len(row)} columns, expected network, query, seconds"
        raise UsageError(msg)
    networks, query, limit = (cell.strip() for cell in row)
    try:
        seconds = float(limit)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        msg = f"{place}: {limit!r} is not a positive number of seconds"
        raise UsageError(msg)
    files = tuple((name, _file(path, file, place)) for name, file in _pairs(networks, place))
    return Instance(files, _file(path, query, place), seconds, line)


def _pairs(cell: str, place: str) -> list[tuple[str, str]]:
    """Return the names and files of a cell."""
    if not cell.startswith("["):
        return [("", cell)]
    pairs: list[tuple[str, str]] = []
    position, end = 1, len(cell) - 1
    while cell.endswith("]"):
        match = _PAIR.match(cell, position, end)
        if match is None:
            break
        name, other_name, file, other_file = match.groups(default="")
        pairs.append((name or other_name, file or other_file))
        position = match.end()
        if position == end:
            return _unique(pairs, place)
        if cell[position] != ",":
            break
        position += 1
        if position == end:  # A comma may follow the last pair.
            return _unique(pairs, place)
    msg = f"{place}: {cell[:80]!r} is not a list of ('name', 'file') pairs"
    raise UsageError(msg)


def _unique(pairs: list[tuple[str, str]], place: str) -> list[tuple[str, str]]:
    names = [name for name, _ in pairs]
    if "" in names or len(set(names)) < len(names):
        msg = f"{place}: networks {names}; each has a name of its own"
        raise UsageError(msg)
    return pairs


def _file(path: Path, name: str, place: str) -> Path:
    """Return the file of that name, or what is compressed beside it."""
    folder = path.parent
    if not name or "\0" in name or not (folder / name).resolve().is_relative_to(folder.resolve()):
        msg = f"{place}: {name!r} is no file within {folder}"
        raise UsageError(msg)
    plain = folder / name
    packed = plain.with_name(f"{plain.name}.gz")
    return packed if packed.is_file() else plain
