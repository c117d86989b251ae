# SPDX-License-Identifier: Apache-2.0
"""Every bound against exact evaluation: intervals, zonotopes, regions, multipliers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bounds import tangled_networks as tangled
from tests.bounds.escapes import anywhere, from_domains
from tests.generators import boxes, networks, points_in
from verifier.spec.property import Case, Property

if TYPE_CHECKING:
    from tests.bounds.tangled_networks import Entry


@given(data=st.data())
def test_every_reachable_value_is_inside_every_domain(data: st.DataObject) -> None:
    graph = data.draw(networks())
    box = data.draw(boxes(graph.input_width))
    points = [data.draw(points_in(box)) for _ in range(3)]

    found = from_domains(graph, box, [*points, box.lower, box.upper])

    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("entry", tangled.KINDS)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_value_escapes_a_tangled_network(entry: Entry, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = tangled.network(rng, entry)
    box = tangled.some_box(rng, graph.input_width)
    prop = tangled.some_property(rng, graph, box)

    found = anywhere(rng, graph, prop, tangled.some_points(rng, box))

    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("entry", tangled.KINDS)
def test_no_value_escapes_many_larger_networks(entry: Entry) -> None:
    rng = np.random.default_rng(1)
    for _ in range(40):
        widths = [int(w) for w in rng.integers(1, 12, size=int(rng.integers(1, 6)))]
        graph = tangled.network(rng, entry, input_width=int(rng.integers(1, 6)), widths=widths)
        box = tangled.some_box(rng, graph.input_width)
        prop = tangled.some_property(rng, graph, box)

        assert anywhere(rng, graph, prop, tangled.some_points(rng, box)) == []


def test_parallel_branches_share_no_noise_symbol() -> None:
    assert from_domains(*tangled.branches()) == []


def test_a_network_without_relus_is_bounded() -> None:
    rng = np.random.default_rng(2)
    graph = tangled.network(rng, tangled.ninth, widths=())
    box = tangled.some_box(rng, graph.input_width)
    prop = tangled.some_property(rng, graph, box)

    assert anywhere(rng, graph, prop, tangled.some_points(rng, box)) == []


def test_a_single_point_is_bounded() -> None:
    rng = np.random.default_rng(3)
    graph = tangled.network(rng, tangled.uneven)
    box = tangled.some_box(rng, graph.input_width)
    point = type(box)(box.upper, box.upper)
    constraints = tangled.some_property(rng, graph, point).cases[0].constraints
    prop = Property(graph.input_width, graph.output_width, (Case(point, constraints),))

    assert anywhere(rng, graph, prop, [point.lower]) == []
