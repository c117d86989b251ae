# SPDX-License-Identifier: Apache-2.0
"""Each step with forms charges at least twice the worst that rounding can do in it.

The worst is computed in fractions, by Higham's bound, for steps made so that no other charge could
stand in for the one that is looked at.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.generators import random_box, random_network
from verifier.certificate.core_bound import Multipliers
from verifier.certificate.float_bounds import FloatForms, FloatRegion, with_lines
from verifier.certificate.float_core import CoreForm
from verifier.certificate.float_network import FloatEdge, FloatLayer, float_network
from verifier.certificate.float_regions import float_root

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 50
U = Fraction(1, 2**53)


def gamma(terms: int) -> Fraction:
    """Return Higham's bound on the relative rounding error of a sum of products."""
    return Fraction(terms, 2**53 - terms)


def dot(left: Iterable[float], right: Iterable[float]) -> Fraction:
    return sum(
        (Fraction(float(a)) * Fraction(float(b)) for a, b in zip(left, right, strict=True)),
        Fraction(0),
    )


def charged(form: FloatForms) -> Fraction:
    return Fraction(float(form.error[0]))


def region_of(seed: int = 0) -> FloatRegion:
    """Return a root over a layer of 50 neurons that reads 40 inputs, and one after it."""
    rng = np.random.default_rng(seed)
    graph = random_network(rng, 40, (WIDTH, 7), 2, skip_probability=1.0)
    box = random_box(rng, 40, 1.0)
    region = float_root(float_network(graph), box, [{}] * 2, [frozenset[int]()] * 2)
    assert region is not None
    assert region.layers[0].is_open.sum() > 10
    return region


@pytest.mark.parametrize("seed", range(5))
def test_reading_a_layer(seed: int) -> None:
    region = region_of(seed)
    layer, bounds = region.network.layers[0], region.layers[0]
    form = FloatForms(region, np.zeros(1))
    form.rows[1] = np.random.default_rng(seed).standard_normal((1, WIDTH))
    row = form.rows[1][0]

    form.substitute(0)

    relaxed = np.abs(row * np.where(row < 0, bounds.upper_slopes, bounds.lower_slopes))
    # The rounding of a weight and that of the line are two more factors than the sum has terms.
    worst = sum(
        Fraction(float(a)) * (dot(weights, region.reach(0)) + Fraction(float(abs(b))))
        for a, weights, b in zip(relaxed, layer.edges[0].sizes, layer.bias, strict=True)
    ) * gamma(WIDTH + 3)
    assert charged(form) >= 2 * worst


def test_the_intercepts_of_lines() -> None:
    region = region_of()
    # Neurons between -1 and 1/100 whose terms add up to 1: of slopes nothing would be left over.
    ends = np.full(WIDTH, -1.0), np.full(WIDTH, 0.01)
    region.layers[0] = with_lines(ends, np.ones(WIDTH), {}, np.zeros(WIDTH))
    form = FloatForms(region, np.zeros(1))
    form.rows[1] = np.full((1, WIDTH), -1.0)

    form.substitute(0)

    slopes, intercepts = region.layers[0].upper_slopes, region.layers[0].intercepts
    assert charged(form) >= 2 * gamma(WIDTH + 3) * dot(slopes + intercepts, np.ones(WIDTH))


def test_adding_to_coefficients_that_are_there() -> None:
    region = region_of()
    form = FloatForms(region, np.zeros(1))
    form.rows[0] = np.full((1, 40), 1e9)

    form.read(region.network.layers[0], np.zeros((1, WIDTH)), region.layers[0].size, np.zeros(1))

    assert charged(form) >= 2 * U * dot(form.rows[0][0], region.reach(0))


def test_starting_with_the_weights_of_neurons() -> None:
    region, neurons = region_of(), np.arange(7)
    size = region.layers[1].size

    forms = FloatForms.of_neurons(region, region.network.layers[1], neurons, size)

    for error, at_most in zip(forms.error, [*size, *size], strict=True):
        assert Fraction(float(error)) >= 2 * U * Fraction(float(at_most))


def test_the_least_value_over_a_box() -> None:
    region = region_of()
    form = FloatForms(region, np.zeros(1))
    form.rows[0] = np.random.default_rng(0).standard_normal((1, 40))

    (least,) = form.least_values()

    size = dot(np.abs(form.rows[0][0]), region.reach(0))
    assert charged(form) >= 2 * gamma(41) * size
    assert Fraction(float(least)) <= Fraction(float(form.constant[0])) - charged(form)


def test_the_masses_of_a_core() -> None:
    """Here masses cancel the coefficients, so that no coefficient is left to charge for."""
    region = region_of()
    phases = {0: dict.fromkeys(range(WIDTH), True)}
    ends = np.zeros(WIDTH), np.full(WIDTH, 3.0)
    region.layers[0] = with_lines(ends, np.full(WIDTH, 5.0), phases[0], np.zeros(WIDTH))
    masses = {(0, neuron): 0.7 for neuron in range(WIDTH)}
    form = CoreForm(region, Multipliers((1.0,), {}, masses), phases)
    form.rows[1] = np.full((1, WIDTH), 0.7)

    form.substitute(0)

    assert charged(form) >= 2 * U * WIDTH * Fraction(0.7) * 5


def test_the_slack_that_a_core_holds_against_both_lines() -> None:
    """Lines through 0 and terms of size 0 leave nothing to charge for but the sum ``c + q``."""
    region = region_of()
    ends = np.zeros(WIDTH), np.full(WIDTH, 3.0)
    region.layers[0] = with_lines(ends, np.zeros(WIDTH), {}, np.zeros(WIDTH))
    neurons = {(0, neuron): (0.0, 1e6) for neuron in range(WIDTH)}
    form = CoreForm(region, Multipliers((1.0,), neurons, {}), {})
    form.rows[1] = np.full((1, WIDTH), 0.3)

    form.substitute(0)

    assert charged(form) >= 2 * U * WIDTH * 10**6 * 3


def test_a_sum_of_products_is_bounded_whatever_the_signs() -> None:
    """The float result, less what is charged, is below the exact value."""
    rng = np.random.default_rng(3)
    region = region_of()
    for _ in range(50):
        weights = rng.standard_normal((WIDTH, 40)) * 2.0 ** rng.integers(-40, 40, (WIDTH, 40))
        layer = FloatLayer((FloatEdge(0, weights),), rng.standard_normal(WIDTH))
        rows = rng.standard_normal((1, WIDTH))
        form = FloatForms(region, np.zeros(1))
        form.read(layer, rows, region.sizes(layer), np.zeros(1))
        (least,) = form.least_values()

        exact = [dot(rows[0], column) for column in weights.T]
        value = dot(rows[0], layer.bias)
        for c, low, high in zip(exact, *region.box, strict=True):
            value += c * Fraction(float(low if c >= 0 else high))
        assert Fraction(float(least)) <= value
