# SPDX-License-Identifier: Apache-2.0
"""What is taken for the answer of a command: what it says when it ends as it should, and no more.

Every answer names its command. A crash can leave a document behind, and so can a file that took the
process over; neither the one nor the other is to look like a verdict of the program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERIFYING = ("prove", "reverify")
"""Kinds of jobs, and commands, whose answer is a verdict."""

REJECTED_STATUS = 3


def is_answer(words: Sequence[str], status: int, said: Mapping[str, Any]) -> bool:
    """Say whether a command has ended with its answer.

    Args:
        words: The command line, without the program.
        status: Its exit status, negative for a signal.
        said: What it said.
    """
    name = " ".join(words[:2]) if words[0] == "certificate" else words[0]
    if said.get("command") != name:
        return False
    if name == "certificate check":
        judged = {0: True, REJECTED_STATUS: False}
        return status in judged and said.get("accepted") is judged[status]
    if name == "inspect" and not isinstance(said.get("summary"), dict):
        return False
    return status == 0 and (name not in VERIFYING or said.get("verdict") in tuple(Verdict))
