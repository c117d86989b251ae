# SPDX-License-Identifier: Apache-2.0
"""The ways to verify a variant that are measured side by side, by name.

A suite of variants runs the product's way, reuse with repair, and names the others that it wants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from benchmarks.leaf_replay import replay_leaves
from benchmarks.margin_alone import decide_by_margin
from benchmarks.plain_reuse import reuse_without_repair
from benchmarks.subject import Subject
from verifier.pipeline import Result, prove, reverify

Way = Callable[[Subject], Result]

SCRATCH, REPLAY, PRODUCT = "from scratch", "leaf replay", "reuse with repair"


def prove_from_scratch(subject: Subject) -> Result:
    """Verify without the original."""
    return prove(subject.graph, subject.prop, subject.options)


def reuse(subject: Subject) -> Result:
    """Verify as the product does: reuse with repair."""
    return reverify(subject.graph, subject.prop, subject.proof, subject.neuron_map, subject.options)


WAYS: Mapping[str, Way] = MappingProxyType(
    {
        SCRATCH: prove_from_scratch,
        REPLAY: replay_leaves,
        "reuse without repair": reuse_without_repair,
        "margin alone": decide_by_margin,
    }
)
