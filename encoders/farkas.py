# SPDX-License-Identifier: Apache-2.0
"""Exact multipliers for a region whose phases are all known.

There every value is an affine function of the inputs, so a case over the region is a system of
linear inequalities. By Farkas' lemma (with strict rows: Motzkin's) it has no solution exactly if
some combination with weights at least 0 says ``positive <= 0``, or ``0 < 0`` with a strict row in
it. Looking for the weights is a system of linear inequalities again; z3 solves it in rationals.

This is for what floats cannot show: rows that miss the border by less than a rounding, or that
touch it and are strict. A search meets few such regions, so nothing here is made fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import z3

from encoders.relu import known_phase
from verifier.errors import RefusedError
from verifier.ir.graph import Graph, Neuron
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.passes.normalize import identity
from verifier.ir.rational import RationalArray
from verifier.proof.literals import HalfSpace, Phase
from verifier.proof.muc import ExactMultipliers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from encoders.base import Bounds
    from verifier.proof.literals import Path
    from verifier.spec.property import Case, InputBox, LinearConstraint

# Coefficients of the inputs, and the constant.
_Function = tuple[Sequence[Fraction], Fraction]


def exact_multipliers(
    graph: Graph,
    case: Case,
    path: Path,
    bounds: Bounds,
    timeout_seconds: float | None = None,
) -> ExactMultipliers | None:
    """Return exact multipliers that refute a case over a region.

    If all phases are known, there are such multipliers unless the case has a solution there.

    Args:
        graph: In normal form.
        case: As wide as the graph.
        path: The literals that cut the region out of the case's box.
        bounds: Bounds of preactivations over the region, which tell the phases that the path does
            not.
        timeout_seconds: Time for z3, or None for no limit.

    Raises:
        RefusedError: Time ran out.

    Returns:
        The multipliers; None if there are none, or if a phase is open.
    """
    fixed = {literal.neuron: literal.active for literal in path if isinstance(literal, Phase)}
    functions = _affine_functions(graph, bounds, fixed)
    if functions is None:
        return None
    preactivations, outputs = functions
    violations = [_violation(constraint, outputs) for constraint in case.constraints]
    weights = z3.RealVector("w", len(violations))
    masses = dict(zip(fixed, z3.RealVector("m", len(fixed)), strict=True))
    terms = list(zip(weights, violations, strict=True))
    terms += [
        (-mass if fixed[neuron] else mass, preactivations[neuron])
        for neuron, mass in masses.items()
    ]
    solver = z3.Solver()
    solver.add([variable >= 0 for variable in (*weights, *masses.values())])
    least = _least_value(solver, terms, _cut(case.box, path))
    strict = [w for w, row in zip(weights, case.constraints, strict=True) if row.strict]
    solver.add(z3.Or(least >= 1, z3.And(least >= 0, _sum(strict) >= 1)))
    if timeout_seconds is not None:
        solver.set("timeout", max(1, int(1000 * timeout_seconds)))
    answer = solver.check()
    if answer == z3.unknown:
        msg = f"z3 found no exact multipliers in {timeout_seconds} s: {solver.reason_unknown()}"
        raise RefusedError(msg)
    if answer == z3.unsat:
        return None
    model = solver.model()
    found = {neuron: _value(model, mass) for neuron, mass in masses.items()}
    return ExactMultipliers(
        tuple(_value(model, weight) for weight in weights),
        {neuron: mass for neuron, mass in found.items() if mass},
    )


def _affine_functions(
    graph: Graph, bounds: Bounds, fixed: Mapping[Neuron, bool]
) -> tuple[dict[Neuron, _Function], list[_Function]] | None:
    """Return every preactivation and output as functions of the inputs; None if a phase is open."""
    width = graph.input_width
    values: list[tuple[RationalArray, RationalArray]] = []
    preactivations: dict[Neuron, _Function] = {}
    for position, node in enumerate(graph.nodes):
        sources = [values[i] for i in node.inputs]
        match node.operator:
            case Input():
                values.append((identity(width), RationalArray.zeros((width,))))
            case Affine(weights, bias):
                matrix = RationalArray.zeros((node.width, width))
                for weight, (slopes, constants) in zip(weights, sources, strict=True):
                    matrix, bias = matrix + weight @ slopes, bias + weight @ constants
                values.append((matrix.reduced(), bias.reduced()))
            case Relu():
                neurons = [Neuron(graph.relus.index(position), i) for i in range(node.width)]
                preactivations |= zip(neurons, _functions(*sources[0]), strict=True)
                phases = [known_phase(neuron, bounds, fixed) for neuron in neurons]
                if None in phases:
                    return None
                active = [int(phase is True) for phase in phases]
                mask = RationalArray.from_fractions(active, (node.width,))
                slopes, constants = sources[0]
                values.append((slopes * mask.reshape((node.width, 1)), constants * mask))
    return preactivations, _functions(*values[-1])


def _functions(slopes: RationalArray, constants: RationalArray) -> list[_Function]:
    rows = (slopes[i].fractions() for i in range(slopes.shape[0]))
    return list(zip(rows, constants.fractions(), strict=True))


def _violation(constraint: LinearConstraint, outputs: Sequence[_Function]) -> _Function:
    """Return what a violation makes at most 0, or less than 0 if strict."""
    slopes = [Fraction(0)] * len(outputs[0][0])
    constant = -constraint.bound
    for i, coefficient in constraint.inputs:
        slopes[i] += coefficient
    for j, coefficient in constraint.outputs:
        of_output, of_bias = outputs[j]
        slopes = [s + coefficient * o for s, o in zip(slopes, of_output, strict=True)]
        constant += coefficient * of_bias
    return slopes, constant


def _cut(box: InputBox, path: Path) -> tuple[list[Fraction], list[Fraction]]:
    lower, upper = list(box.lower), list(box.upper)
    for literal in path:
        if isinstance(literal, HalfSpace):
            index, threshold = literal.input, Fraction(literal.threshold)
            if literal.below:
                upper[index] = min(upper[index], threshold)
            else:
                lower[index] = max(lower[index], threshold)
    return lower, upper


def _least_value(
    solver: z3.Solver,
    terms: Sequence[tuple[z3.ArithRef, _Function]],
    box: tuple[Sequence[Fraction], Sequence[Fraction]],
) -> z3.ArithRef:
    """Return what is at most the least value of a combination of functions over a box.

    The solver may choose how to split each slope in two: at best into its positive and its
    negative part, which gives the least value.
    """
    total = [_sum([weight * _number(constant) for weight, (_, constant) in terms])]
    for i, (lower, upper) in enumerate(zip(*box, strict=True)):
        rising, falling = z3.Reals(f"p{i} n{i}")
        slope = _sum([weight * _number(slopes[i]) for weight, (slopes, _) in terms if slopes[i]])
        solver.add(rising >= 0, falling >= 0, rising - falling == slope)
        total += [rising * _number(lower), -falling * _number(upper)]
    return _sum(total)


def _sum(terms: Sequence[z3.ArithRef]) -> z3.ArithRef:
    return z3.Sum([z3.RealVal(0), *terms])


def _number(value: Fraction) -> z3.RatNumRef:
    return z3.Q(value.numerator, value.denominator)


def _value(model: z3.ModelRef, term: z3.ArithRef) -> Fraction:
    value = model.eval(term, model_completion=True)
    return Fraction(value.numerator_as_long(), value.denominator_as_long())
