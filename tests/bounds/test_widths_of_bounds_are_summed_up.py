# SPDX-License-Identifier: Apache-2.0
"""``bound_widths``: the bounds of a layer over all boxes of a property, in three numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from tests.generators import stack
from verifier.bounds.bound_widths import bound_widths
from verifier.ir.rational import RationalArray
from verifier.spec.property import Case, InputBox, Property

if TYPE_CHECKING:
    from verifier.ir.graph import Graph


def ones(shape: tuple[int, ...]) -> RationalArray:
    return RationalArray.from_floats(np.ones(shape))


def box(lower: int, upper: int) -> InputBox:
    return InputBox((Fraction(lower),) * 2, (Fraction(upper),) * 2)


def test_exact_bounds_have_the_widths_that_they_must_have() -> None:
    # z = x0 + x1 + 1 for both neurons, then z = relu + relu + 1.
    graph = stack(2, (2, 1), 1, ones)
    wide, narrow = box(-2, 2), box(1, 2)

    both = numbers(graph, Property(2, 1, (Case(wide, ()), Case(narrow, ()))))
    one = numbers(graph, Property(2, 1, (Case(narrow, ()), Case(narrow, ()))))

    assert one == [(2.0, 2.0, 0), (4.0, 4.0, 0)]
    assert both == [((8 + 2) / 2, 8.0, 2), ((10 + 4) / 2, 10.0, 0)]


def numbers(graph: Graph, prop: Property) -> list[tuple[float, float, int]]:
    """Return the widths without the traces of rounding outwards."""
    return [(round(w.mean, 9), round(w.largest, 9), w.unstable) for w in bound_widths(graph, prop)]


def test_without_cases_there_are_no_bounds() -> None:
    assert bound_widths(stack(2, (2,), 1, ones), Property(2, 1, ())) == ()
