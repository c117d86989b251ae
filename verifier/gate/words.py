# SPDX-License-Identifier: Apache-2.0
"""Words of a check in a form that any reader takes, whatever a file is called.

The name of a file is any bytes. Those that are no text arrive as halves of characters, which no
encoding of Unicode can write; control characters steer terminals and are forbidden in XML. Where
they occur, their number stands in their place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier.report import counterexample_text, seconds_text
from verifier.spec.counterexample import Counterexample

if TYPE_CHECKING:
    from verifier.gate.check import Check

CACHED = "cached"


def plain(text: str) -> str:
    r"""Return a text with ``\x1b`` and the like in place of what cannot be shown."""
    return "".join(c if c.isprintable() or c in "\n\t" else _number(c) for c in text)


def one_line(text: str) -> str:
    r"""Return the same on one line: ``\n`` stands for the end of one."""
    return "".join(c if c.isprintable() else _number(c) for c in text)


def unicode_text(text: str) -> str:
    r"""Return a text with ``\udcff`` in place of halves of characters, and nothing else changed."""
    return text.encode(errors="backslashreplace").decode()


def counterexample_words(check: Check, most: int) -> str:
    """Return the counterexample of a check for people; empty where there is none.

    Args:
        check: The check.
        most: How many inputs, and how many outputs, are told.
    """
    if check.counterexample is None:
        return ""
    return counterexample_text(Counterexample.of(check.counterexample), most)


def time_words(check: Check) -> str:
    """Return how long a check took in this run."""
    return CACHED if check.is_cached else seconds_text(check.seconds)


def cores_kept(check: Check) -> str:
    """Return which share of the original's cores was valid as it was; empty without reuse."""
    return "" if check.reuse is None else f"{check.reuse['proof_reuse_rate']:.0%}"


def _number(character: str) -> str:
    return character.encode("unicode_escape").decode()
