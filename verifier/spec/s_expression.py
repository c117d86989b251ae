# SPDX-License-Identifier: Apache-2.0
"""From text to s-expressions, one top-level group at a time.

The parser keeps its own stack, so nesting is limited by ``ReaderLimits.depth`` and never by the
interpreter's. Every expression remembers its offset in the text; line and column are computed only
when an error needs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from verifier.errors import PropertyError, UnsupportedError, VerifierError

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from verifier.spec.dialect import Dialect
    from verifier.spec.reader_limits import ReaderLimits

_SHOWN = 40


class Atom(NamedTuple):
    """A symbol or numeral, and where it starts."""

    text: str
    offset: int


class Group(NamedTuple):
    """A parenthesised sequence, and where it starts.

    ``head`` is the text of the first item if that is an atom, else the empty string.
    """

    items: tuple[Expression, ...]
    offset: int
    head: str


Expression = Atom | Group
_OpenGroups = list[tuple[int, list[Expression]]]


@dataclass(frozen=True)
class Source:
    """A text and the name under which errors speak of it."""

    name: str
    text: str

    def malformed(self, offset: int, message: str) -> PropertyError:
        """Return the error for text that means nothing, with its place."""
        return PropertyError(f"{self._place(offset)}: {message}")

    def unsupported(self, offset: int, message: str) -> UnsupportedError:
        """Return the error for text that means something which is not modelled."""
        return UnsupportedError(f"{self._place(offset)}: {message}")

    def unknown(self, dialect: Dialect, offset: int, message: str) -> VerifierError:
        """Return the error for a word that the dialect does not have."""
        return (self.malformed if dialect.is_closed else self.unsupported)(offset, message)

    def line(self, offset: int) -> int:
        """Return the number of the line, from 1, that has a place of the text."""
        return self.text.count("\n", 0, offset) + 1

    def _place(self, offset: int) -> str:
        column = offset - self.text.rfind("\n", 0, offset)
        return f"{self.name}:{self.line(offset)}:{column}"


def shown(text: str) -> str:
    """Return ``text`` quoted for a message, shortened where it is long."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def groups(source: Source, dialect: Dialect, limits: ReaderLimits) -> Iterator[Group]:
    """Yield the top-level groups of a text, in order.

    Raises:
        PropertyError: Parentheses do not match, text stands outside them, or a limit is exceeded.
        UnsupportedError: The text has a word that the dialect does not have, but might.
    """
    open_groups: _OpenGroups = []
    for match in _tokens(source, dialect, limits):
        offset = match.start()
        if match[0] == "(":
            if len(open_groups) >= limits.depth:
                msg = f"nesting is deeper than {limits.depth} (limit 'depth')"
                raise source.malformed(offset, msg)
            open_groups.append((offset, []))
        elif match[0] == ")":
            closed = _close(source, open_groups, offset)
            if open_groups:
                open_groups[-1][1].append(closed)
            else:
                yield closed
        elif open_groups:
            open_groups[-1][1].append(Atom(match[0], offset))
        else:
            raise source.malformed(offset, f"{shown(match[0])} stands outside of parentheses")
    if open_groups:
        raise source.malformed(open_groups[-1][0], "this parenthesis is never closed")


def _tokens(source: Source, dialect: Dialect, limits: ReaderLimits) -> Iterator[re.Match[str]]:
    """Yield the parentheses and atoms."""
    # What the pattern does not match is white space, which ``finditer`` steps over.
    for count, match in enumerate(dialect.tokens.finditer(source.text)):
        if count >= limits.tokens:
            msg = f"more than {limits.tokens} tokens (limit 'tokens')"
            raise source.malformed(match.start(), msg)
        if match.lastgroup == "bad":
            msg = f"{shown(match[0])} {dialect.bad}"
            raise source.unknown(dialect, match.start(), msg)
        if match.lastgroup is not None:  # Else it is a comment.
            yield match


def _close(source: Source, open_groups: _OpenGroups, offset: int) -> Group:
    if not open_groups:
        raise source.malformed(offset, "this parenthesis closes nothing")
    start, items = open_groups.pop()
    head = items[0].text if items and isinstance(items[0], Atom) else ""
    return Group(tuple(items), start, head)
