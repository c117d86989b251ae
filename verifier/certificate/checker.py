# SPDX-License-Identifier: Apache-2.0
"""Check a certificate: does it prove its verdict about this network and this property?

The checker is the part of the project that has to be right. It shares no code with the engine, and
it believes nothing that the certificate says: a multiplier, a slope or a clause is a hint, from
which a bound or a conflict is computed here, with every rounding to the safe side: in float64,
which confirms what holds whatever it rounded, and in integers, which have the last word.
What it relies on is the network and the property as they were read, and these four steps:

  1. ``document``           types, ranges, finite numbers
  2. ``float_regions``,     bounds on the neurons of each region that a core needs; in integers only
     ``regions``            for the cores that floats leave open
  3. ``float_core``,        each core's multipliers refute its case in its region; ``exact_core``,
     ``core_bound``         where that takes arithmetic without rounding
  4. ``unit_propagation``   the clauses that 1 to 3 give contradict each other

Why that proves ``holds``: take a violation ``x``. Let each atom be true where what it says of ``x``
is true (a case: that ``x`` solves it; a phase: that the preactivation is ``>= 0``; a threshold:
that the input is ``<=`` it). Some case atom is true, and the thresholds are in order. For each
core, were its case and all literals of its path true, ``x`` would be a solution of the case inside
the region, which step 3 excludes; so the core's clause is true. Then all clauses of step 4 are true
at once, which step 4 excludes. (Where an atom is false its strict opposite is true; regions take
the closed opposite, which is weaker.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier.certificate.document import read_holds, read_point, shape_of
from verifier.certificate.holds import Counts, check_holds
from verifier.certificate.values import MOST_NOTE_CHARACTERS, RejectedError, described
from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.fingerprint import fingerprint
from verifier.ir.passes.normalize import normalize
from verifier.spec.counterexample import violates
from verifier.spec.fingerprint import property_fingerprint
from verifier.verdict import Semantics, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from verifier.certificate.integer_matrix import Arithmetic
    from verifier.ir.graph import Graph
    from verifier.spec.property import Property

FORMAT = "mucg4-certificate/1"


@dataclass(frozen=True)
class CheckReport:
    """What the checker found.

    Attributes:
        accepted: Whether the certificate proves its verdict.
        verdict: What is proven; ``UNKNOWN`` where the certificate was rejected.
        reason: Why it was rejected, naming the place; empty where it was accepted.
        regions: Number of regions whose bounds were computed.
        cores: Number of cores that were confirmed.
        clauses: Number of propositional steps that were confirmed.
    """

    accepted: bool
    verdict: Verdict
    reason: str
    regions: int = 0
    cores: int = 0
    clauses: int = 0


def check_certificate(
    document: Mapping[str, Any],
    graph: Graph,
    prop: Property,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Check a certificate against a network and a property.

    Args:
        document: The certificate as JSON values. It may contain anything.
        graph: The network; it need not be in normal form.
        prop: The property.
        progress: Called with the number of steps done and of all steps.

    Returns:
        A report. A document that is no certificate gives a rejecting report, not an exception.
    """
    return _check(None, document, graph, prop, progress)


def check_with(
    arithmetic: Arithmetic,
    document: Mapping[str, Any],
    graph: Graph,
    prop: Property,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Do what ``check_certificate`` does, with the given integers and without floats."""
    return _check(arithmetic, document, graph, prop, progress)


def _check(
    arithmetic: Arithmetic | None,
    document: Mapping[str, Any],
    graph: Graph,
    prop: Property,
    progress: Callable[[int, int], None] | None,
) -> CheckReport:
    counts = Counts(progress)
    try:
        verdict = _verdict_of(document, graph, prop)
        normal = normalize(graph)
        if verdict is Verdict.VIOLATED:
            _check_violated(document, normal, prop)
        else:
            content = read_holds(document, shape_of(normal.layer_widths, prop))
            check_holds(content, normal, prop, arithmetic, counts)
        reason = ""
    except RejectedError as rejection:
        verdict, reason = Verdict.UNKNOWN, str(rejection)
    return CheckReport(not reason, verdict, reason, counts.regions, counts.cores, counts.clauses)


def _verdict_of(document: Any, graph: Graph, prop: Property) -> Verdict:
    """Return what the document claims, after checking that it speaks of these two."""
    if not isinstance(document, Mapping):
        msg = f"a certificate is an object, not {described(document)}"
        raise RejectedError(msg)
    _check_field(document, "format", FORMAT)
    _check_field(document, "semantics", Semantics.REAL.value)
    if (prop.input_width, prop.output_width) != (graph.input_width, graph.output_width):
        msg = (
            f"the property has {prop.input_width} inputs and {prop.output_width} outputs, "
            f"the network {graph.input_width} and {graph.output_width}"
        )
        raise RejectedError(msg)
    _check_field(document, "network", fingerprint(graph))
    _check_field(document, "property", property_fingerprint(prop))
    _check_note(document, "isolation")
    claimed = document.get("verdict")
    for verdict in (Verdict.HOLDS, Verdict.VIOLATED):
        if isinstance(claimed, str) and claimed == verdict.value:
            return verdict
    msg = f"verdict: {described(claimed)} is neither 'holds' nor 'violated'"
    raise RejectedError(msg)


def _check_field(document: Mapping[str, Any], name: str, expected: str) -> None:
    value = document.get(name)
    if not isinstance(value, str) or value != expected:
        msg = f"{name}: the certificate has {described(value)}, expected {expected!r}"
        raise RejectedError(msg)


def _check_note(document: Mapping[str, Any], name: str) -> None:
    """Check a field that may be missing and proves nothing: people and programs show it."""
    value = document.get(name, "")
    if not isinstance(value, str) or len(value) > MOST_NOTE_CHARACTERS:
        msg = f"{name}: {described(value)} is no text of up to {MOST_NOTE_CHARACTERS} characters"
        raise RejectedError(msg)


def _check_violated(document: Mapping[str, Any], graph: Graph, prop: Property) -> None:
    point = read_point(document, graph.input_width)
    if not violates(prop, point, evaluate_exactly(graph, point)):
        msg = "point: the property is not violated there"
        raise RejectedError(msg)
