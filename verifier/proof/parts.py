# SPDX-License-Identifier: Apache-2.0
"""Cut long columns into parts, and say of what is wrong in one which part it is in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Parts:
    """How a column is cut into parts.

    Attributes:
        what: What a part is, for messages.
        ends: Where each part begins, and where the last one ends.
    """

    what: str
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, counts: Column, total: int, what: str) -> Parts:
        """Cut a column of so many entries into parts of the given lengths."""
        ends = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        if ends[-1] != total:
            fail(f"{what}: {ends[-1]} entries in all, not {total}")
        return cls(what, ends)

    def owners(self) -> NDArray[np.intp]:
        """Return the part of each entry."""
        return np.repeat(np.arange(len(self.ends) - 1), np.diff(self.ends))

    def check(self, is_right: NDArray[np.bool_], wrong: str) -> None:
        """Raise, with the part's name, unless all entries are right."""
        if not is_right.all():
            part = np.searchsorted(self.ends, int(np.argmin(is_right)), side="right") - 1
            fail(f"{self.what} {part}: {wrong}")

    def check_rising(self, numbers: Column, wrong: str) -> None:
        """Raise unless the numbers of each part rise."""
        is_first = np.zeros(len(numbers) + 1, dtype=np.bool_)
        is_first[self.ends] = True
        is_right = np.ones(len(numbers), dtype=np.bool_)
        is_right[1:] = (numbers[1:] > numbers[:-1]) | is_first[1:-1]
        self.check(is_right, wrong)

    def cut(self, column: Column) -> list[Column]:
        """Return the column part by part, without a copy."""
        return [column[start:end] for start, end in pairwise(self.ends.tolist())]


def fail(reason: str) -> NoReturn:
    """Refuse what was read."""
    raise ValueError(reason)
