# SPDX-License-Identifier: Apache-2.0
"""Make a failing case small, and write it down.

Greedy (Zeller and Hildebrandt 2002, reduced to single steps): try one simplification after the
other and keep each after which the case still fails in the same way, until none does. Numbers of
neurons stay; a neuron whose weights are zero is as good as gone.
"""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from verifier.ir.operators import Affine
from verifier.ir.rational import RationalArray
from verifier.spec.property import InputBox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.agreement import RandomCase
    from verifier.ir.graph import Graph
    from verifier.spec.property import Case, LinearConstraint, Property


def shrink(
    case: RandomCase, fails: Callable[[RandomCase], bool], seconds: float = 60.0
) -> RandomCase:
    """Return a case that fails and has no simpler one next to it, or the best found in time.

    Args:
        case: Fails.
        fails: Whether a case fails in the way that is looked for.
        seconds: How long to look.
    """
    end = time.monotonic() + seconds
    improved = True
    while improved:
        improved = False
        for candidate in _simpler(case):
            if time.monotonic() > end:
                return case
            if fails(candidate):
                case, improved = candidate, True
                break
    return case


def _simpler(case: RandomCase) -> Iterator[RandomCase]:
    """Yield cases with one thing less, the largest things first."""
    for i in range(len(case.changes)):
        yield replace(case, changes=case.changes[:i] + case.changes[i + 1 :])
    yield from (replace(case, prop=prop) for prop in _simpler_properties(case.prop))
    yield from (replace(case, graph=graph) for graph in _simpler_networks(case.graph))


def _simpler_properties(prop: Property) -> Iterator[Property]:
    for i, case in enumerate(prop.cases):
        rest = prop.cases[:i] + prop.cases[i + 1 :]
        yield replace(prop, cases=rest)
        for k in range(len(case.constraints)):
            constraints = case.constraints[:k] + case.constraints[k + 1 :]
            yield _with(prop, i, replace(case, constraints=constraints))
        for side, (low, high) in enumerate(zip(case.box.lower, case.box.upper, strict=True)):
            if low < high:
                upper = (*case.box.upper[:side], low, *case.box.upper[side + 1 :])
                yield _with(prop, i, replace(case, box=InputBox(case.box.lower, upper)))


def _with(prop: Property, index: int, case: Case) -> Property:
    cases = (*prop.cases[:index], case, *prop.cases[index + 1 :])
    return replace(prop, cases=cases)


def _simpler_networks(graph: Graph) -> Iterator[Graph]:
    """Yield the network with one entry zero, or rounded to a whole number."""
    for position, node in enumerate(graph.nodes):
        if not isinstance(node.operator, Affine):
            continue
        weights, bias = node.operator.weights, node.operator.bias
        operators = [Affine(weights, smaller) for smaller in _simpler_arrays(bias)]
        for k, weight in enumerate(weights):
            operators += [
                Affine((*weights[:k], smaller, *weights[k + 1 :]), bias)
                for smaller in _simpler_arrays(weight)
            ]
        for operator in operators:
            nodes = list(graph.nodes)
            nodes[position] = replace(node, operator=operator)
            yield replace(graph, nodes=tuple(nodes))


def _simpler_arrays(array: RationalArray) -> Iterator[RationalArray]:
    entries = list(array.fractions())
    for i, entry in enumerate(entries):
        for simpler in dict.fromkeys((Fraction(0), Fraction(round(entry)))):
            if simpler != entry:
                changed = [*entries[:i], simpler, *entries[i + 1 :]]
                yield RationalArray.from_fractions(changed, array.shape)
                break


def describe(case: RandomCase) -> str:
    """Return a case as text for people."""
    lines = [f"seed {case.seed}, chained: {case.is_chained}, {case.options}"]
    lines += [f"change: {change}" for change in case.changes]
    for node in case.graph.nodes:
        if isinstance(node.operator, Affine):
            lines.append(f"{node.name} reads {[case.graph.nodes[i].name for i in node.inputs]}")
            lines += [f"  weight {_matrix(weight)}" for weight in node.operator.weights]
            lines.append(f"  bias {_matrix(node.operator.bias)}")
    for number, part in enumerate(case.prop.cases):
        sides = zip(part.box.lower, part.box.upper, strict=True)
        lines.append(f"case {number}: " + ", ".join(f"[{low}, {high}]" for low, high in sides))
        lines += [f"  {_row(constraint)}" for constraint in part.constraints]
    return "\n".join(lines)


def _matrix(array: RationalArray) -> str:
    if len(array.shape) == 1:
        return " ".join(str(entry) for entry in array.fractions())
    return "; ".join(_matrix(array[row]) for row in range(array.shape[0]))


def _row(constraint: LinearConstraint) -> str:
    terms = [f"{c} x{i}" for i, c in constraint.inputs]
    terms += [f"{c} y{j}" for j, c in constraint.outputs]
    return f"{' + '.join(terms) or '0'} {'<' if constraint.strict else '<='} {constraint.bound}"
