# SPDX-License-Identifier: Apache-2.0
"""Small proved properties with their certificates, and an exact oracle for what cores claim."""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import z3
from pysat.solvers import Solver

from tests.generators import random_network, random_property
from verifier.ir.operators import Affine, Input
from verifier.options import EngineOptions
from verifier.pipeline import prove
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from verifier.ir.graph import Graph
    from verifier.spec.property import Case, LinearConstraint, Property

Document = dict[str, Any]


class Proved(NamedTuple):
    """A property that holds, and the certificate as it would be read from a file."""

    graph: Graph
    prop: Property
    document: Document


@cache
def proved(seed: int, *, on_inputs: bool) -> Proved | None:
    """Return a small proof whose search had to split, on inputs or on phases, if there is one."""
    rng = np.random.default_rng(seed)
    widths = [int(rng.integers(3, 6)) for _ in range(int(rng.integers(1, 3)))]
    graph = random_network(rng, 2, widths, 2, skip_probability=0.3)
    prop = random_property(rng, graph, radius=2.0, margin=float(rng.choice([0.02, 0.05, 0.1])))
    options = EngineOptions(input_split_width=12 if on_inputs else 0)
    result = prove(graph, prop, options)
    if result.verdict is not Verdict.HOLDS:
        return None
    document = json.loads(json.dumps(result.certificate()))
    return Proved(graph, prop, document) if len(document["cores"]) > 1 else None


def proofs(count: int) -> list[Proved]:
    """Return the first proofs with splits, in equal parts on inputs and on phases."""
    return [
        *list(_found(on_inputs=True, count=(count + 1) // 2)),
        *list(_found(on_inputs=False, count=count // 2)),
    ]


def _found(*, on_inputs: bool, count: int) -> Iterator[Proved]:
    seed = 0
    while count:
        proof = proved(seed, on_inputs=on_inputs)
        seed += 1
        if proof is not None:
            count -= 1
            yield proof


def is_still_a_proof(proof: Proved, document: Document) -> bool:
    """Return whether the claims of a document are true and contradict each other.

    Each core's claim is decided by z3 on the whole network, the clauses by CaDiCaL. Multipliers
    are not looked at: they are hints.
    """
    atoms = [tuple(atom) for atom in document["atoms"]]
    clauses = [[1 + n for n, atom in enumerate(atoms) if atom[0] == "case"]]
    for core in document["cores"]:
        path = path_of(document, core["region"])
        if _has_solution(proof, core["case"], [(atoms[abs(v) - 1], v > 0) for v in path]):
            return False
        clauses.append([-1 - atoms.index(("case", core["case"])), *(-v for v in path)])
    with Solver(name="cadical195", bootstrap_with=[*clauses, *_ordering(atoms)]) as solver:
        return not solver.solve()


def path_of(document: Document, region: int) -> list[int]:
    """Return the literals from the root of a region to it."""
    path = []
    while document["regions"][region]["parent"] is not None:
        path += document["regions"][region]["literals"]
        region = document["regions"][region]["parent"]
    return path


def _ordering(atoms: Sequence[tuple[Any, ...]]) -> list[list[int]]:
    thresholds = [(n, *atom[1:]) for n, atom in enumerate(atoms, start=1) if atom[0] == "at_most"]
    return [
        [-low, high]
        for low, i, a in thresholds
        for high, j, b in thresholds
        if i == j and Fraction(a) < Fraction(b)
    ]


def _has_solution(
    proof: Proved, case: int, literals: Sequence[tuple[tuple[Any, ...], bool]]
) -> bool:
    key = (id(proof.graph), id(proof.prop), case, frozenset(literals))
    if key not in _ANSWERS:
        _ANSWERS[key] = _decide(proof.graph, proof.prop.cases[case], literals)
    return _ANSWERS[key]


_ANSWERS: dict[tuple[object, ...], bool] = {}


def _decide(graph: Graph, case: Case, literals: Sequence[tuple[tuple[Any, ...], bool]]) -> bool:
    inputs = [z3.Real(f"x{i}") for i in range(graph.input_width)]
    solver = z3.Solver()
    values = node_values(graph, inputs, solver)
    for x, low, high in zip(inputs, case.box.lower, case.box.upper, strict=True):
        solver.add(x >= _number(low), x <= _number(high))
    for atom, is_positive in literals:
        if atom[0] == "phase":
            term = values[graph.nodes[graph.relus[atom[1]]].inputs[0]][atom[2]]
            solver.add(term >= 0 if is_positive else term <= 0)
        else:
            term, end = inputs[atom[1]], _number(Fraction(atom[2]))
            solver.add(term <= end if is_positive else term >= end)
    for constraint in case.constraints:
        solver.add(_violation(constraint, inputs, values[-1]))
    answer = solver.check()
    assert answer != z3.unknown
    return bool(answer == z3.sat)


def node_values(
    graph: Graph, inputs: list[z3.ArithRef], solver: z3.Solver | z3.Optimize
) -> list[list[z3.ArithRef]]:
    """Return the value of each node's entries as a term, defined in the solver."""
    values: list[list[z3.ArithRef]] = []
    for position, node in enumerate(graph.nodes):
        if isinstance(node.operator, Input):
            values.append(inputs)
            continue
        if not isinstance(node.operator, Affine):
            values.append([z3.If(z >= 0, z, 0) for z in values[node.inputs[0]]])
            continue
        row = []
        for i in range(node.width):
            terms = [_number(node.operator.bias.fraction(i))]
            for weight, source in zip(node.operator.weights, node.inputs, strict=True):
                pairs = enumerate(values[source])
                terms += [_number(weight.fraction(i, k)) * value for k, value in pairs]
            # A variable of its own keeps nested formulas small.
            row.append(z3.Real(f"n{position}_{i}"))
            solver.add(row[-1] == z3.Sum(terms))
        values.append(row)
    return values


def _violation(
    constraint: LinearConstraint, inputs: list[z3.ArithRef], outputs: list[z3.ArithRef]
) -> z3.BoolRef:
    terms = [_number(c) * inputs[i] for i, c in constraint.inputs]
    terms += [_number(c) * outputs[j] for j, c in constraint.outputs]
    left, bound = z3.Sum(terms), _number(constraint.bound)
    return left < bound if constraint.strict else left <= bound


def _number(value: Fraction) -> z3.RatNumRef:
    return z3.Q(value.numerator, value.denominator)
