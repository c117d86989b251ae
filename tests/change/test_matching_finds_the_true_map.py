# SPDX-License-Identifier: Apache-2.0
"""Inferred maps against the true ones, on variants whose making is known."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.change.variants import edited, rearranged, rounded
from tests.generators import random_network
from verifier.change.match import infer_map
from verifier.errors import UnsupportedError
from verifier.ir.graph import Graph, Neuron, Node
from verifier.ir.onnx_reader import read_onnx
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.passes.normalize import normalize

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = range(8)


def shuffled(rng: np.random.Generator, graph: Graph, keep: float = 1.0) -> list[list[int]]:
    return [
        [int(i) for i in rng.permutation(width)[: max(1, round(keep * width))]]
        for width in graph.layer_widths
    ]


def network(seed: int, *, skips: float = 0.0) -> Graph:
    rng = np.random.default_rng(seed)
    return random_network(rng, 6, (20, 16, 12), 3, skip_probability=skips)


@pytest.mark.parametrize("seed", SEEDS)
def test_equal_networks_are_mapped_by_the_identity_with_certainty(seed: int) -> None:
    original = network(seed, skips=0.4)

    found = infer_map(original, original)

    assert found.source == "identity"
    assert found.confidence == 1.0
    assert len(found.kept) == 48
    assert all(old == new for old, new in found.kept.items())


@pytest.mark.parametrize("seed", SEEDS)
def test_permuted_neurons_are_recovered_exactly(seed: int) -> None:
    original = network(seed, skips=0.4)
    variant, truth = rearranged(original, shuffled(np.random.default_rng(seed), original))

    found = infer_map(original, variant)

    assert found.kept == truth.kept
    assert found.removed == {}
    assert found.source == "inferred"
    assert found.confidence > 0.999


@pytest.mark.parametrize("seed", SEEDS)
def test_permuted_and_rounded_neurons_are_recovered(seed: int) -> None:
    original = network(seed)
    variant, truth = rearranged(original, shuffled(np.random.default_rng(seed), original))

    found = infer_map(original, rounded(variant, np.float16))

    assert found.kept == truth.kept
    assert 0.9 < found.confidence < 1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_cut_off_neurons_are_found_to_give_zero(seed: int) -> None:
    original = network(seed, skips=0.3)
    order = shuffled(np.random.default_rng(seed), original, keep=0.75)
    variant, truth = rearranged(original, order)

    found = infer_map(original, variant)

    assert found.kept == truth.kept
    assert len(found.removed) == 48 - sum(map(len, order))
    assert set(found.removed.values()) == {Fraction(0)}


@pytest.mark.parametrize("seed", SEEDS)
def test_folded_biases_are_found(seed: int) -> None:
    original = network(seed)
    order = shuffled(np.random.default_rng(seed), original, keep=0.8)
    biases = {
        Neuron(layer, index): bias_of(original, Neuron(layer, index))
        for layer, width in enumerate(original.layer_widths)
        for index in set(range(width)) - set(order[layer])
    }
    variant, truth = rearranged(
        original, order, {neuron: max(bias, Fraction(0)) for neuron, bias in biases.items()}
    )

    found = infer_map(original, rounded(variant, np.float32))

    assert found.kept == truth.kept
    assert found.removed.keys() == biases.keys()
    for neuron, constant in found.removed.items():
        # A constant of 0 or less is as good as any other: the output is 0.
        assert constant == biases[neuron] or max(constant, biases[neuron]) <= 0


def test_a_folded_mean_activation_is_solved_for() -> None:
    original = network(3)
    order = [[i for i in range(20) if i != 4], list(range(16)), [i for i in range(12) if i != 7]]
    means = {Neuron(0, 4): Fraction(5, 8), Neuron(2, 7): Fraction(3, 2)}
    variant, truth = rearranged(original, order, means)

    found = infer_map(original, variant)

    assert found.kept == truth.kept
    assert found.removed.keys() == means.keys()
    for neuron, constant in found.removed.items():
        assert abs(constant - means[neuron]) < Fraction(1, 10**5)


def test_a_constant_that_the_biases_do_not_explain_is_not_guessed() -> None:
    original = network(3)
    variant, truth = rearranged(original, [list(range(1, 20)), list(range(16)), list(range(12))])

    def disturb(rows: list[list[Fraction]]) -> None:
        for number, row in enumerate(rows):
            row[-1] += Fraction(number % 3, 10)

    found = infer_map(original, edited(variant, 1, disturb))

    assert found.kept == truth.kept
    assert found.removed == {}


def test_neurons_that_became_constant_stay_in_place() -> None:
    original = network(5)

    def silence(rows: list[list[Fraction]]) -> None:
        for number in (1, 3, 4):
            rows[number] = [Fraction(0)] * len(rows[number])

    found = infer_map(original, edited(original, 0, silence))

    assert found.source == "identity"
    assert found.confidence < 1.0
    assert len(found.kept) == 48


def test_layers_that_stayed_are_matched_when_a_later_one_is_gone() -> None:
    original = network(2)
    head = random_network(np.random.default_rng(6), 16, (), 3).nodes[1]
    shorter = Graph((*original.nodes[:5], replace(head, inputs=(4,))))
    variant, truth = rearranged(shorter, shuffled(np.random.default_rng(2), shorter))

    found = infer_map(original, variant)

    assert found.kept == truth.kept
    assert {neuron.layer for neuron in found.removed} <= {0, 1}


def test_networks_of_other_shape_without_resemblance_get_no_map() -> None:
    original = network(0)
    stranger = random_network(np.random.default_rng(99), 6, (20, 16), 3)
    wider = random_network(np.random.default_rng(98), 6, (21, 16, 12), 3)
    misfit = random_network(np.random.default_rng(97), 5, (20, 16, 12), 3)

    for other in (stranger, wider, misfit):
        found = infer_map(original, other)
        assert (found.kept, found.removed, found.confidence) == ({}, {}, 0.0)


def test_strangers_of_equal_shape_get_the_identity_without_confidence() -> None:
    found = infer_map(network(0), network(1))

    assert found.source == "identity"
    assert found.confidence < 0.4


def test_a_network_without_neurons_is_matched_trivially() -> None:
    original = random_network(np.random.default_rng(0), 3, (), 2)

    found = infer_map(original, original)

    assert (found.kept, found.confidence) == ({}, 1.0)


def test_the_same_seed_gives_the_same_map() -> None:
    original = network(4)
    variant, _ = rearranged(original, shuffled(np.random.default_rng(4), original, keep=0.5))

    assert infer_map(original, variant, seed=7) == infer_map(original, variant, seed=7)


def test_a_network_that_is_not_in_normal_form_is_refused() -> None:
    graph = Graph((Node("x", Input(), (), 2), Node("relu", Relu(), (0,), 2)))

    with pytest.raises(UnsupportedError, match="normal form"):
        infer_map(graph, graph)


def test_published_pruned_networks_keep_their_places(data: Path) -> None:
    """Whole rows are zero in them, so the shape is the same and some neurons are constant."""
    name = "ACASXU_run2a_1_1_batch_2000"
    original = normalize(read_onnx(data / f"acasxu/onnx/{name}.onnx"))
    folder = data / "acasxu_compressed/onnx"
    pruned = normalize(read_onnx(folder / f"pruned/{name}_pruned30.onnx"))
    order = shuffled(np.random.default_rng(0), original)
    halves = normalize(read_onnx(folder / f"float16_weights/{name}_16bit.onnx"))
    variant, truth = rearranged(halves, order)

    assert infer_map(original, pruned).source == "identity"
    assert infer_map(original, variant).kept == truth.kept


def bias_of(graph: Graph, neuron: Neuron) -> Fraction:
    affine = graph.nodes[graph.nodes[graph.relus[neuron.layer]].inputs[0]].operator
    assert isinstance(affine, Affine)
    return affine.bias.fraction(neuron.index)
