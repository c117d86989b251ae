# SPDX-License-Identifier: Apache-2.0
"""After how many variants has a proof that was kept paid for itself?"""

from __future__ import annotations

from math import inf
from statistics import mean, median
from typing import TYPE_CHECKING

from benchmarks.rows import FOR_REUSE
from benchmarks.way_tables import WORTH_SAVING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.rows import Row

TEXT = """
To keep a proof costs CPU time beyond the verdict, and variants pay it back. Of {count} proofs that
take over {least} CPU s, {at_once} are paid back by the first variant, if it gains what those of the
proof gain on average; the median is {median:.1f} variants. Without `deepen`, which can be left to
idle time, it is {bare_at_once} proofs, and {bare_median:.1f} variants.
"""


def paid_back(originals: Sequence[Row], variants: Sequence[Row]) -> str:
    """Return a sentence on when proofs are paid back; nothing where there is none to tell of."""
    whole: list[float] = []
    bare: list[float] = []
    for original in originals:
        own = [row for row in variants if (row.network, row.prop) == original.key[:2]]
        gains = [
            row.scratch.cpu_seconds - row.measured.cpu_seconds
            for row in own
            if row.scratch is not None and row.reuse.get("cores")
        ]
        cost = original.measured
        if cost.deciding_cpu_seconds <= WORTH_SAVING or not gains:
            continue
        gain = max(mean(gains), 0.0)
        parts = {step: cost.cpu_seconds_of(step) for step in FOR_REUSE}
        whole.append(sum(parts.values()) / gain if gain else inf)
        bare.append(parts["minimize"] / gain if gain else inf)
    if not whole:
        return ""
    return TEXT.format(
        count=len(whole),
        least=WORTH_SAVING,
        at_once=sum(number <= 1.0 for number in whole),
        median=median(whole),
        bare_at_once=sum(number <= 1.0 for number in bare),
        bare_median=median(bare),
    ).strip()
