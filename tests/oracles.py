# SPDX-License-Identifier: Apache-2.0
"""Slow and obviously right answers, in exact arithmetic, to hold everything else against.

Nothing here shares code with the engine: the network is unrolled with ``fractions`` alone, and
only the linear feasibility question of one phase pattern goes to z3.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import z3

from verifier.ir.operators import Affine, Input, Relu
from verifier.verdict import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from verifier.ir.graph import Graph
    from verifier.ir.rational import RationalArray
    from verifier.spec.property import Case, InputBox, LinearConstraint, Property


class Form(NamedTuple):
    """``sum coefficients[i] * x[i] + constant`` over the inputs."""

    coefficients: tuple[Fraction, ...]
    constant: Fraction


def evaluate_naively(graph: Graph, point: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Return the output, one multiplication of fractions at a time."""
    values: list[list[Fraction]] = []
    for node in graph.nodes:
        match node.operator:
            case Input():
                values.append([Fraction(x) for x in point])
            case Relu():
                values.append([max(v, Fraction(0)) for v in values[node.inputs[0]]])
            case Affine(weights, bias):
                rows = []
                for row in range(node.width):
                    total = bias.fraction(row)
                    for weight, position in zip(weights, node.inputs, strict=True):
                        for column, value in enumerate(values[position]):
                            total += weight.fraction(row, column) * value
                    rows.append(total)
                values.append(rows)
    return tuple(values[-1])


def satisfies(case: Case, point: Sequence[Fraction], output: Sequence[Fraction]) -> bool:
    """Return whether an input of the case's box and its output meet every constraint."""
    sides = zip(case.box.lower, point, case.box.upper, strict=True)
    return all(low <= x <= high for low, x, high in sides) and all(
        _meets(constraint, point, output) for constraint in case.constraints
    )


def violates(prop: Property, graph: Graph, point: Sequence[Fraction]) -> bool:
    """Return whether the point is a counterexample, exactly."""
    output = evaluate_naively(graph, point)
    return any(satisfies(case, point, output) for case in prop.cases)


def _meets(
    constraint: LinearConstraint, point: Sequence[Fraction], output: Sequence[Fraction]
) -> bool:
    left = sum((c * point[i] for i, c in constraint.inputs), Fraction(0))
    left += sum((c * output[j] for j, c in constraint.outputs), Fraction(0))
    return left < constraint.bound if constraint.strict else left <= constraint.bound


def decide_by_phase_enumeration(
    graph: Graph, prop: Property
) -> tuple[Answer, tuple[Fraction, ...] | None]:
    """Decide by trying every phase of every neuron, one after the other, in exact arithmetic.

    Once all phases are fixed the network is one affine map, so what remains is linear. Prefixes
    that are infeasible already are not continued; up to some ten neurons take moments.

    Returns:
        SAT with a violating input, or UNSAT with none.
    """
    for case in prop.cases:
        for forms, solver in _linear_pieces(graph, case.box):
            solver.push()
            for constraint in case.constraints:
                left = _constraint_form(constraint, forms, graph.input_width)
                term = _term(left, _variables(graph))
                bound = _number(constraint.bound)
                solver.add(term < bound if constraint.strict else term <= bound)
            if solver.check() == z3.sat:
                point = _point(solver.model(), graph)
                if not violates(prop, graph, point):
                    msg = f"the oracle contradicts itself at {point}"
                    raise AssertionError(msg)
                return Answer.SAT, point
            solver.pop()
    return Answer.UNSAT, None


def _linear_pieces(graph: Graph, box: InputBox) -> Iterator[tuple[list[Form], z3.Solver]]:
    """Yield the output's affine form on each feasible phase pattern, and a solver holding it."""
    variables = _variables(graph)
    solver = z3.SolverFor("QF_LRA")
    for x, low, high in zip(variables, box.lower, box.upper, strict=True):
        solver.add(x >= _number(low), x <= _number(high))
    yield from _extend(graph, [], [], (solver, variables))


def _extend(
    graph: Graph,
    done: list[list[Form]],
    partial: list[Form],
    context: tuple[z3.Solver, list[z3.ArithRef]],
) -> Iterator[tuple[list[Form], z3.Solver]]:
    """Fix the phases of what is left: after ``done`` nodes and ``partial`` entries of a Relu."""
    solver, variables = context
    if len(done) == len(graph.nodes):
        yield done[-1], solver
        return
    node = graph.nodes[len(done)]
    if not isinstance(node.operator, Relu):
        forms = _forms(graph, len(done), done)
        yield from _extend(graph, [*done, forms], [], context)
        return
    if len(partial) == node.width:
        yield from _extend(graph, [*done, partial], [], context)
        return
    preactivation = done[node.inputs[0]][len(partial)]
    zero = Form((Fraction(0),) * graph.input_width, Fraction(0))
    term = _term(preactivation, variables)
    for condition, value in ((term >= 0, preactivation), (term <= 0, zero)):
        solver.push()
        solver.add(condition)
        if solver.check() == z3.sat:
            yield from _extend(graph, done, [*partial, value], context)
        solver.pop()


def _forms(graph: Graph, position: int, done: list[list[Form]]) -> list[Form]:
    node, width = graph.nodes[position], graph.input_width
    if isinstance(node.operator, Input):
        units = [tuple(Fraction(int(i == j)) for j in range(width)) for i in range(width)]
        return [Form(unit, Fraction(0)) for unit in units]
    if not isinstance(node.operator, Affine):
        msg = f"node {node.name!r} is not affine"
        raise TypeError(msg)
    bias = node.operator.bias
    return [
        _sum(
            [Form((Fraction(0),) * width, bias.fraction(row))],
            *(
                _row(weight, row, done[i])
                for weight, i in zip(node.operator.weights, node.inputs, strict=True)
            ),
        )
        for row in range(node.width)
    ]


def _row(weight: RationalArray, row: int, forms: list[Form]) -> list[Form]:
    return [_scale(weight.fraction(row, column), form) for column, form in enumerate(forms)]


def _scale(factor: Fraction, form: Form) -> Form:
    return Form(tuple(factor * c for c in form.coefficients), factor * form.constant)


def _sum(*groups: list[Form]) -> Form:
    forms = [form for group in groups for form in group]
    columns = zip(*(form.coefficients for form in forms), strict=True)
    return Form(
        tuple(sum(column, Fraction(0)) for column in columns),
        sum((form.constant for form in forms), Fraction(0)),
    )


def _constraint_form(constraint: LinearConstraint, forms: list[Form], width: int) -> Form:
    inputs = dict(constraint.inputs)
    own = Form(tuple(inputs.get(i, Fraction(0)) for i in range(width)), Fraction(0))
    return _sum([own], [_scale(c, forms[j]) for j, c in constraint.outputs])


def _variables(graph: Graph) -> list[z3.ArithRef]:
    return [z3.Real(f"x{i}") for i in range(graph.input_width)]


def _number(value: Fraction) -> z3.RatNumRef:
    return z3.Q(value.numerator, value.denominator)


def _term(form: Form, variables: list[z3.ArithRef]) -> z3.ArithRef:
    products = [_number(c) * x for c, x in zip(form.coefficients, variables, strict=True) if c]
    return z3.Sum([*products, _number(form.constant)])


def _point(model: z3.ModelRef, graph: Graph) -> tuple[Fraction, ...]:
    values = [model.eval(x, model_completion=True) for x in _variables(graph)]
    return tuple(Fraction(v.numerator_as_long(), v.denominator_as_long()) for v in values)
