# SPDX-License-Identifier: Apache-2.0
"""What an encoding is made of: a stream of small statements, independent of any solver.

The encoders say *what* is asserted, once; ``formula.py`` turns it into pySMT formulas for z3 and
``smtlib.py`` into text. So the script that a user hands to another solver is the formula that we
solve, and a network of half a million weights is written without ever being held in memory.

Four kinds of statement suffice for piecewise linear networks. ``Define`` gives a name to a linear
term, a macro and not a variable: what that saves is told in ``real_arithmetic.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from verifier.ir.graph import Neuron

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verifier.ir.graph import Node

# A neuron and whether it is active: the plain form of a phase literal.
PhaseLiteral = tuple[Neuron, bool]
# An input, a threshold and whether the input is at most that; else it is at least that.
HalfSpaceLiteral = tuple[int, Fraction | float, bool]
Literal = PhaseLiteral | HalfSpaceLiteral
# Lower and upper bound of preactivations, for every input that the formula allows.
Bounds = Mapping[Neuron, tuple[Fraction, Fraction]]


class Sort(StrEnum):
    """The type of a variable, as SMT-LIB spells it."""

    REAL = "Real"
    BOOL = "Bool"


class Relation(StrEnum):
    """How a linear term compares to a number, as SMT-LIB spells it."""

    AT_MOST = "<="
    BELOW = "<"
    AT_LEAST = ">="


@dataclass(frozen=True)
class Linear:
    """``sum coefficient * name + constant``; each name is a real variable or a defined term."""

    terms: tuple[tuple[Fraction, str], ...]
    constant: Fraction


@dataclass(frozen=True)
class Declare:
    """A variable, before its first use."""

    name: str
    sort: Sort


@dataclass(frozen=True)
class Define:
    """A name for a linear term."""

    name: str
    value: Linear


@dataclass(frozen=True)
class Require:
    """``left relation right`` holds wherever every guard does.

    Attributes:
        left: Its constant is 0: numbers stand on the right.
        relation: How the sides compare.
        right: A number.
        guards: Selectors with the value at which they demand the constraint; none: always.
    """

    left: Linear
    relation: Relation
    right: Fraction
    guards: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True)
class RequireAny:
    """At least one of these selectors is true; with none of them, the formula is false."""

    selectors: tuple[str, ...]


Statement = Declare | Define | Require | RequireAny


@dataclass(frozen=True)
class EncodedNode:
    """What the encoding of one node leaves for those that read it.

    Attributes:
        statements: In the order of definition before use; to be read once.
        values: For each entry, the name of its term; None where it is 0 for every allowed input.
    """

    statements: Iterable[Statement]
    values: tuple[str | None, ...]


@dataclass(frozen=True)
class Place:
    """Where a node stands in a normal-form graph, for its encoder.

    Attributes:
        node: The node.
        inputs: ``EncodedNode.values`` of each node it reads.
        layer: The ReLU layer that it is, or feeds; None for the Input and the output.
        bounds: Bounds of preactivations that the encoder may rely on; neurons may be missing.
        fixed: Neurons whose phase is demanded, with whether it is active.
    """

    node: Node
    inputs: tuple[tuple[str | None, ...], ...]
    layer: int | None
    bounds: Bounds
    fixed: Mapping[Neuron, bool]
