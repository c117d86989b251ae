# SPDX-License-Identifier: Apache-2.0
"""Reads a zoo: networks, properties and compressions, each held against each other.

timeout_seconds = 116
networks = ["onnx/*.onnx"]
properties = ["vnnlib/prop_[1-4].vnnlib"]

[[compressions]]
method = "integer_quantisation"
options = { bits = [16, 8] }        # a list stands for each of its values

[[compressions]]                    # one after the other; each step is verified, too
steps = [
{ method = "integer_quantisation", options = { bits = 8 } },
{ method = "magnitude_pruning", options = { sparsity = [0.05, 0.1] } },
]

    [[frontier]]                        # for the search of the strongest: one axis, or two,
    method = "magnitude_pruning"        # each from weak to strong
    options = { sparsity = [0.1, 0.2, 0.3] }
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from compression.registry import make_method
from verifier.batch.question import Step
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

MOST_BYTES = 1 << 20
MOST_VARIANTS = 10_000
MOST_AXES = 2
_KEYS = {"timeout_seconds", "networks", "properties", "compressions", "frontier"}


@dataclass(frozen=True)
class Zoo:
    """What a manifest says.

    Attributes:
        folder: What names are relative to.
        networks: Names of the original networks, sorted.
        properties: Names of the properties, sorted.
        variants: What is done to each network, without doing nothing; each is longer than another
            by one step, or has one step, and comes after that other.
        timeout_seconds: The limit of each verification.
        axes: For the search of the strongest compression: levels of each, from weak to strong.
    """

    folder: Path
    networks: tuple[str, ...]
    properties: tuple[str, ...]
    variants: tuple[tuple[Step, ...], ...]
    timeout_seconds: float
    axes: tuple[tuple[Step, ...], ...] = ()


def read_zoo(path: Path) -> Zoo:
    """Read a manifest.

    Raises:
        UsageError: It cannot be read, is malformed, or names what is not there.
    """
    document = _document(path)
    reader = _Reader(path)
    reader.check_keys(document, _KEYS, "")
    return Zoo(
        path.parent,
        reader.files(document, "networks"),
        reader.files(document, "properties"),
        reader.variants(document, "compressions"),
        reader.seconds(document, "timeout_seconds"),
        reader.axes(document, "frontier"),
    )


def _document(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            msg = f"{path}: longer than {MOST_BYTES} bytes"
            raise UsageError(msg)
        return tomllib.loads(content.decode())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        msg = f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise UsageError(msg) from error


@dataclass(frozen=True)
class _Reader:
    """Checks what a manifest says, and names the place where it is wrong."""

    path: Path

    def wrong(self, where: str, what: str) -> UsageError:
        return UsageError(f"{self.path}: {where}: {what}" if where else f"{self.path}: {what}")

    def check_keys(self, table: Mapping[str, Any], known: set[str], where: str) -> None:
        for key in table:
            if key not in known:
                raise self.wrong(where, f"{key!r} is not known; known: {', '.join(sorted(known))}")

    def seconds(self, document: Mapping[str, Any], key: str) -> float:
        value = document.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
            return float(value)
        raise self.wrong(key, f"{value!r} is not a positive number of seconds")

    def files(self, document: Mapping[str, Any], key: str) -> tuple[str, ...]:
        """Return the files that patterns name, relative to the manifest's folder."""
        patterns = document.get(key)
        if not isinstance(patterns, list) or not all(isinstance(p, str) for p in patterns):
            raise self.wrong(key, "give a list of file names; * and ? may stand in them")
        found: set[str] = set()
        for pattern in patterns:
            names = self._matching(pattern, key)
            if not names:
                raise self.wrong(key, f"{pattern!r} matches no file in {self.path.parent}")
            found.update(names)
        if not found:
            raise self.wrong(key, "the list is empty")
        return tuple(sorted(found))

    def _matching(self, pattern: str, key: str) -> list[str]:
        folder = self.path.parent
        try:
            paths = [path for path in folder.glob(pattern) if path.is_file()]
        except (ValueError, NotImplementedError) as error:
            raise self.wrong(key, f"{pattern!r}: {error}") from error
        return [str(path.relative_to(folder)) for path in paths]

    def variants(self, document: Mapping[str, Any], key: str) -> tuple[tuple[Step, ...], ...]:
        tables = self._tables(document, key)
        found: dict[tuple[Step, ...], None] = {}
        for number, table in enumerate(tables, start=1):
            where = f"compression {number}"
            for steps in self._chains(table, where):
                # What is on the way is verified, too: its proof is what the next step reuses.
                for length in range(1, len(steps) + 1):
                    found[steps[:length]] = None
                if len(found) > MOST_VARIANTS:
                    raise self.wrong(where, f"more than {MOST_VARIANTS} variants")
        return tuple(sorted(found, key=len))

    def axes(self, document: Mapping[str, Any], key: str) -> tuple[tuple[Step, ...], ...]:
        """Return the levels of each axis."""
        tables = self._tables(document, key)
        if len(tables) > MOST_AXES:
            raise self.wrong(key, f"{len(tables)} axes; there may be {MOST_AXES}")
        return tuple(
            tuple(self._grid(table, f"{key} {number}"))
            for number, table in enumerate(tables, start=1)
        )

    def _tables(self, document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
        tables = document.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise self.wrong(key, f"write [[{key}]] for each")
        return tables

    def _chains(self, table: Mapping[str, Any], where: str) -> Iterator[tuple[Step, ...]]:
        if "steps" not in table:
            yield from ((step,) for step in self._grid(table, where))
            return
        self.check_keys(table, {"steps"}, where)
        steps = table["steps"]
        if not isinstance(steps, list) or not steps or not all(isinstance(s, dict) for s in steps):
            raise self.wrong(where, "steps is a list of tables with method and options")
        grids = [self._grid(s, f"{where}, step {n}") for n, s in enumerate(steps, start=1)]
        yield from product(*grids)

    def _grid(self, table: Mapping[str, Any], where: str) -> Sequence[Step]:
        self.check_keys(table, {"method", "options"}, where)
        method, options = table.get("method"), table.get("options", {})
        if not isinstance(method, str) or not isinstance(options, dict):
            raise self.wrong(where, "give method = 'NAME', and options = { KEY = VALUE } if wanted")
        values = [v if isinstance(v, list) else [v] for v in options.values()]
        if math.prod(map(len, values)) > MOST_VARIANTS:
            raise self.wrong(where, f"more than {MOST_VARIANTS} variants")
        steps = []
        for chosen in product(*values):
            words = tuple(f"{k}={_word(v)}" for k, v in zip(options, chosen, strict=True))
            try:
                make_method(method, words)
            except UsageError as error:
                raise self.wrong(where, str(error)) from error
            steps.append(Step(method, words))
        return steps


def _word(value: object) -> str:
    """Return a value as the command line takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
