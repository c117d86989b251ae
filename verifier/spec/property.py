# SPDX-License-Identifier: Apache-2.0
"""What is asked of a network: that no input in a set has an unsafe output.

A property is kept as what would *violate* it, in disjunctive form: some case holds, where a case
is a box of inputs and a conjunction of linear constraints over inputs and outputs. Numbers are
exact rationals, as written in the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass(frozen=True)
class InputBox:
    """``lower[i] <= x[i] <= upper[i]`` for every input, all finite; never empty."""

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]


@dataclass(frozen=True)
class LinearConstraint:
    """``sum inputs[i] * x[i] + sum outputs[j] * y[j] <= bound`` (``<`` where strict).

    Attributes:
        inputs: Pairs of index and non-zero coefficient, by ascending index.
        outputs: The same for outputs.
        bound: The right-hand side.
        strict: Whether equality is excluded.
    """

    inputs: tuple[tuple[int, Fraction], ...]
    outputs: tuple[tuple[int, Fraction], ...]
    bound: Fraction
    strict: bool = False


@dataclass(frozen=True)
class Case:
    """One way to violate the property: an input of ``box`` for which all ``constraints`` hold.

    Cases with the same input set share one ``InputBox`` object, so work on it can be shared.
    """

    box: InputBox
    constraints: tuple[LinearConstraint, ...]


@dataclass(frozen=True)
class Property:
    """A property with ``input_width`` inputs and ``output_width`` outputs.

    It is violated where any of ``cases`` holds; with no cases it holds trivially.
    """

    input_width: int
    output_width: int
    cases: tuple[Case, ...]
