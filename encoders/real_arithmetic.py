# SPDX-License-Identifier: Apache-2.0
"""A normal-form network and what violates its property, in linear real arithmetic (QF_LRA).

All numbers are the exact rationals of the network and of the property, so the formula is
satisfiable exactly if an input in the set has an unsafe output in real arithmetic.

Preactivations and outputs are *terms*, substituted where they are read, not variables with a
defining equation. Measured on random 4-10-10-2 networks with float32 weights, z3 5.4, eight
properties near the border between holding and not, solved from scratch, total seconds (ten at
most for each):

    ReLU encoding                                   substituted    defined
    implications as in the textbook                        18.0       39.8
    shared inequalities outside the choice (relu.py)        6.8       25.5
    the same, and z >= 0, z <= 0 inside it                 15.9       20.8
    if-then-else                                           48.1       63.8

and with interval bounds, substituted: no selectors for stable neurons 6.3 to 12, and
``r <= upper`` 3.1 to 9, and the upper line of the triangle 21 to 25. A defining equation is one
more row of the simplex tableau for each neuron, with its own slack and its own pivots.

An operator without a row in ``ENCODERS`` is refused.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from encoders.base import (
    Bounds,
    Declare,
    Define,
    EncodedNode,
    Linear,
    Place,
    Relation,
    Require,
    RequireAny,
    Sort,
    Statement,
)
from encoders.names import case_selector, input_variable, output_term, preactivation_term
from encoders.relu import encode_relu
from verifier.errors import PropertyError, UnsupportedError
from verifier.ir.graph import Neuron
from verifier.ir.operators import Affine, Input, Operator, Relu
from verifier.ir.passes.normalize import is_normal_form
from verifier.spec.property import InputBox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from verifier.ir.graph import Graph
    from verifier.spec.property import Case, LinearConstraint, Property

_ONE = Fraction(1)
_ZERO = Fraction(0)


def encode_network(
    graph: Graph, bounds: Bounds | None = None, fixed: Mapping[Neuron, bool] | None = None
) -> Iterator[Statement]:
    """Yield the statements that relate inputs, phases and outputs.

    Args:
        graph: In normal form.
        bounds: Bounds of preactivations that hold for every input of the formula they go into.
            They are used to drop choices and are *not* checked: a wrong bound can hide solutions.
        fixed: Phases that are demanded for good, as neuron and whether it is active.

    Raises:
        UnsupportedError: The graph is not in normal form, or an operator has no encoder.
        ValueError: Bounds cross, or bounds or phases name a neuron that does not exist.
    """
    if not is_normal_form(graph):
        msg = "only graphs in normal form are encoded: pass it through normalize() first"
        raise UnsupportedError(msg)
    bounds = {} if bounds is None else bounds
    fixed = {} if fixed is None else fixed
    for neuron in (*bounds, *fixed):
        check_neuron(graph, neuron)
    layers = {position: layer for layer, position in enumerate(graph.relus)}
    layers |= {graph.nodes[position].inputs[0]: layer for position, layer in layers.items()}
    values: list[tuple[str | None, ...]] = []
    for position, node in enumerate(graph.nodes):
        encode = encoder_of(node.operator, node.name)
        inputs = tuple(values[i] for i in node.inputs)
        encoded = encode(Place(node, inputs, layers.get(position), bounds, fixed))
        yield from encoded.statements
        values.append(encoded.values)


def encode_property(prop: Property) -> Iterator[Statement]:
    """Yield the statements that say: some case is met. They follow those of the network.

    What contains the boxes of all cases is asserted without a choice, so that the simplex knows
    it from the start; a case adds what its own box leaves out of that.
    """
    boxes = [case.box for case in prop.cases]
    if boxes:
        hull = InputBox(
            tuple(map(min, zip(*(box.lower for box in boxes), strict=True))),
            tuple(map(max, zip(*(box.upper for box in boxes), strict=True))),
        )
        yield from _inside(hull, None, ())
    selectors = tuple(case_selector(index) for index in range(len(prop.cases)))
    for name, case in zip(selectors, prop.cases, strict=True):
        yield Declare(name, Sort.BOOL)
        yield from _inside(case.box, hull, ((name, True),))
        yield from _constraints(case, ((name, True),))
    yield RequireAny(selectors)


def half_space(index: int, threshold: Fraction, below: bool, guard: str) -> Iterator[Statement]:
    """Yield what makes a Boolean demand that an input is at most, or at least, a threshold."""
    relation = Relation.AT_MOST if below else Relation.AT_LEAST
    value = Linear(((_ONE, input_variable(index)),), _ZERO)
    yield Declare(guard, Sort.BOOL)
    yield Require(value, relation, threshold, ((guard, True),))


def _inside(
    box: InputBox, known: InputBox | None, guards: tuple[tuple[str, bool], ...]
) -> Iterator[Statement]:
    for index, (lower, upper) in enumerate(zip(box.lower, box.upper, strict=True)):
        value = Linear(((_ONE, input_variable(index)),), _ZERO)
        if known is None or known.lower[index] != lower:
            yield Require(value, Relation.AT_LEAST, lower, guards)
        if known is None or known.upper[index] != upper:
            yield Require(value, Relation.AT_MOST, upper, guards)


def _constraints(case: Case, guards: tuple[tuple[str, bool], ...]) -> Iterator[Statement]:
    for constraint in case.constraints:
        relation = Relation.BELOW if constraint.strict else Relation.AT_MOST
        yield Require(_left_side(constraint), relation, constraint.bound, guards)


def _left_side(constraint: LinearConstraint) -> Linear:
    inputs = [(factor, input_variable(i)) for i, factor in constraint.inputs]
    outputs = [(factor, output_term(j)) for j, factor in constraint.outputs]
    return Linear((*inputs, *outputs), _ZERO)


def check_fit(graph: Graph, prop: Property) -> None:
    """Check that the property speaks of this network's inputs and outputs.

    Raises:
        PropertyError: A width or an index does not fit.
    """
    widths, own = (prop.input_width, prop.output_width), (graph.input_width, graph.output_width)
    if widths != own:
        msg = f"the property has {widths} inputs and outputs, the network {own}"
        raise PropertyError(msg)
    for number, case in enumerate(prop.cases):
        ends = (len(case.box.lower), len(case.box.upper))
        if ends != (graph.input_width, graph.input_width):
            msg = f"case {number}: the box has {ends} ends for {graph.input_width} inputs"
            raise PropertyError(msg)
        for constraint in case.constraints:
            _check_indices(constraint.inputs, graph.input_width, f"case {number}: input")
            _check_indices(constraint.outputs, graph.output_width, f"case {number}: output")


def _check_indices(terms: tuple[tuple[int, Fraction], ...], width: int, what: str) -> None:
    for index, _ in terms:
        if not 0 <= index < width:
            msg = f"{what} {index} does not exist: there are {width}"
            raise PropertyError(msg)


def check_neuron(graph: Graph, neuron: Neuron) -> None:
    """Check that a neuron exists.

    Raises:
        ValueError: It does not.
    """
    widths = graph.layer_widths
    if not (0 <= neuron.layer < len(widths) and 0 <= neuron.index < widths[neuron.layer]):
        msg = f"neuron {tuple(neuron)} does not exist: the layer widths are {widths}"
        raise ValueError(msg)


def _encode_input(place: Place) -> EncodedNode:
    names = tuple(input_variable(index) for index in range(place.node.width))
    return EncodedNode(tuple(Declare(name, Sort.REAL) for name in names), names)


def _encode_affine(place: Place) -> EncodedNode:
    affine = place.node.operator
    if not isinstance(affine, Affine):
        msg = f"node {place.node.name!r} is {type(affine).__name__}, not Affine"
        raise TypeError(msg)
    layer = place.layer
    names = [
        output_term(row) if layer is None else preactivation_term(Neuron(layer, row))
        for row in range(place.node.width)
    ]
    defined = (Define(name, _row(affine, row, place)) for row, name in enumerate(names))
    return EncodedNode(defined, tuple(names))


def _row(affine: Affine, row: int, place: Place) -> Linear:
    terms = [
        (Fraction(numerator, weight.denominator), name)
        for weight, names in zip(affine.weights, place.inputs, strict=True)
        for numerator, name in zip(weight.numerators[row], names, strict=True)
        if numerator and name is not None
    ]
    return Linear(tuple(terms), affine.bias.fraction(row))


# Every operator that can be encoded; relu.py shows what a new row needs.
ENCODERS: Mapping[type[Operator], Callable[[Place], EncodedNode]] = {
    Input: _encode_input,
    Affine: _encode_affine,
    Relu: encode_relu,
}


def encoder_of(operator: Operator, name: str) -> Callable[[Place], EncodedNode]:
    """Return the encoder of an operator.

    Raises:
        UnsupportedError: There is none.
    """
    kind = type(operator)
    if kind not in ENCODERS:
        supported = ", ".join(sorted(known.__name__ for known in ENCODERS))
        msg = f"operator {kind.__name__!r} (node {name!r}) has no encoder; supported: {supported}"
        raise UnsupportedError(msg)
    return ENCODERS[kind]
