# SPDX-License-Identifier: Apache-2.0
"""Reads what manifests have in common, and says of what is wrong where it stands.

A manifest is a file in TOML. Files are named by patterns relative to its folder; a compression is a
method with options, where a list stands for each of its values, or a chain of such steps.
"""

from __future__ import annotations

import math
import sys
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from compression.registry import make_method
from verifier.batch.question import Step
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from verifier.batch.question import Change

Word = TypeVar("Word", bound=StrEnum)

MOST_BYTES = 1 << 20
MOST_VARIANTS = 10_000


def read_toml(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return what a file in TOML says, and its bytes.

    Raises:
        UsageError: It cannot be read, is malformed or too long.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            msg = f"{path}: longer than {MOST_BYTES} bytes"
            raise UsageError(msg)
        return tomllib.loads(content.decode()), content
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise UsageError(msg) from error


@dataclass(frozen=True)
class ManifestReader:
    """Reads parts of a manifest.

    Every method raises a ``UsageError`` that names the place where the manifest is wrong.

    Attributes:
        path: The manifest.
        part: Which part of it is read, in words; empty for the whole.
    """

    path: Path
    part: str = ""

    def wrong(self, where: str, what: str) -> UsageError:
        """Return the error for a place in this part."""
        place = ": ".join(word for word in (str(self.path), self.part, where) if word)
        return UsageError(f"{place}: {what}")

    def check_keys(
        self, table: Mapping[str, Any], known: AbstractSet[str], where: str = ""
    ) -> None:
        """Refuse keys that are not known, misspelt ones above all."""
        for key in table:
            if key not in known:
                raise self.wrong(where, f"{key!r} is not known; known: {', '.join(sorted(known))}")

    def seconds(self, document: Mapping[str, Any], key: str) -> float:
        """Return a positive number of seconds."""
        value = document.get(key)
        # A whole number may be beyond all floats.
        largest = sys.float_info.max
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= largest:
            return float(value)
        what = "is missing" if value is None else f"{value!r} is not a positive number of seconds"
        raise self.wrong(key, what)

    def files(self, document: Mapping[str, Any], key: str) -> tuple[str, ...]:
        """Return the files that patterns name, relative to the manifest's folder."""
        patterns = document.get(key)
        if not isinstance(patterns, list) or not all(isinstance(p, str) for p in patterns):
            raise self.wrong(key, "give a list of file names; * and ? may stand in them")
        found = {name for pattern in patterns for name in self.matching(pattern, key)}
        if not found:
            raise self.wrong(key, "the list is empty")
        return tuple(sorted(found))

    def file(self, table: Mapping[str, Any], key: str) -> str:
        """Return the one file that a name stands for."""
        name = table.get(key)
        if not isinstance(name, str):
            raise self.wrong(key, "give the name of a file")
        names = self.matching(name, key)
        if len(names) > 1:
            raise self.wrong(key, f"{name!r} matches {len(names)} files; name one")
        return names[0]

    def choice(self, table: Mapping[str, Any], key: str, default: Word) -> Word:
        """Return one of the words of the enumeration that the default is of."""
        word, words = table.get(key, default), type(default)
        if word not in list(words):
            raise self.wrong(key, f"{word!r} is not one of: {', '.join(words)}")
        return words(word)

    def matching(self, pattern: str, key: str) -> list[str]:
        """Return the files that one pattern names; there is at least one."""
        folder = self.path.parent
        if PurePath(pattern).is_absolute():
            raise self.wrong(key, f"{pattern!r}: give a name relative to the manifest")
        try:
            found = sorted(path for path in folder.glob(pattern) if not path.is_dir())
        except ValueError as error:
            raise self.wrong(key, f"{pattern!r}: {error}") from error
        if not found:
            raise self.wrong(key, f"{pattern!r} matches no file in {folder.resolve()}")
        names = [str(path.relative_to(folder)) for path in found]
        # A link to a file that was not fetched must not make a check disappear.
        for path, name in zip(found, names, strict=True):
            if not path.is_file():
                raise self.wrong(key, f"{name} is no file, or a link to one that is not there")
        return names

    def chains(self, document: Mapping[str, Any], key: str) -> tuple[tuple[Step, ...], ...]:
        """Return what is to be done to a network, each once."""
        found: dict[tuple[Step, ...], None] = {}
        for number, table in enumerate(self.tables(document, key), start=1):
            where = f"compression {number}"
            for steps in self._chains(table, where):
                found[steps] = None
                if len(found) > MOST_VARIANTS:
                    raise self.wrong(where, f"more than {MOST_VARIANTS} variants")
        return tuple(found)

    def tables(self, document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
        """Return tables that may be left out."""
        tables = document.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise self.wrong(key, f"write [[{key}]] for each")
        return tables

    def _chains(self, table: Mapping[str, Any], where: str) -> Iterator[tuple[Step, ...]]:
        if "steps" not in table:
            yield from ((step,) for step in self.grid(table, where))
            return
        self.check_keys(table, {"steps"}, where)
        steps = table["steps"]
        if not isinstance(steps, list) or not steps or not all(isinstance(s, dict) for s in steps):
            raise self.wrong(where, "steps is a list of tables with method and options")
        grids = [self.grid(s, f"{where}, step {n}") for n, s in enumerate(steps, start=1)]
        yield from product(*grids)

    def grid(self, table: Mapping[str, Any], where: str) -> Sequence[Step]:
        """Return a method with each combination of its options' values."""
        self.check_keys(table, {"method", "options"}, where)
        method, options = table.get("method"), table.get("options", {})
        if not isinstance(method, str) or not isinstance(options, dict):
            raise self.wrong(where, "give method = 'NAME', and options = { KEY = VALUE } if wanted")
        values = [v if isinstance(v, list) else [v] for v in options.values()]
        if not all(values):
            raise self.wrong(where, "a list of values is empty, so nothing would be made")
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


def with_prefixes(chains: Iterable[tuple[Change, ...]]) -> tuple[tuple[Change, ...], ...]:
    """Return chains and all that is on the way to their ends, shorter ones first.

    What is on the way is verified, too: its proof is what the next step reuses.
    """
    found = dict.fromkeys(steps[:length] for steps in chains for length in range(1, len(steps) + 1))
    return tuple(sorted(found, key=len))


def _word(value: object) -> str:
    """Return a value as the command line takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
