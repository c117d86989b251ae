# SPDX-License-Identifier: Apache-2.0
"""Reports on variants whose making is known."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.change.variants import edited, rearranged, rounded
from tests.generators import random_network
from verifier.change.classify import ChangeKind, ChangeReport, NeuronChange, Treatment, classify
from verifier.change.match import infer_map
from verifier.change.neuron_map import NeuronMap
from verifier.errors import UnsupportedError, UsageError
from verifier.ir.graph import Graph, Neuron, Node
from verifier.ir.onnx_reader import read_onnx
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.passes.normalize import normalize
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Rows = list[list[Fraction]]


def network(seed: int = 0, *, skips: float = 0.0) -> Graph:
    return random_network(np.random.default_rng(seed), 9, (10, 8, 12), 3, skip_probability=skips)


def report_on(original: Graph, layer: int, edit: Callable[[Rows], None]) -> ChangeReport:
    return classify(original, edited(original, layer, edit), NeuronMap.identity(original))


def of(report: ChangeReport, layer: int, index: int) -> NeuronChange:
    (change,) = [c for c in report.neurons if c.neuron == Neuron(layer, index)]
    return change


def test_the_same_network_is_unchanged_and_translates() -> None:
    original = network(skips=0.5)

    report = classify(original, original, NeuronMap.identity(original))

    assert (report.kind, report.treatment) == (ChangeKind.UNCHANGED, Treatment.TRANSLATE)
    assert len(report.neurons) == 33
    assert len(report.layers) == 4
    assert all(c.kind is ChangeKind.UNCHANGED for c in report.neurons)
    assert all(c.treatment is Treatment.TRANSLATE for c in report.neurons)


def test_the_same_numbers_over_another_denominator_are_unchanged() -> None:
    original = network()
    nodes = []
    for node in original.nodes:
        operator = node.operator
        if isinstance(operator, Affine):
            weights = tuple(
                RationalArray(w.numerators * 6, w.denominator * 6) for w in operator.weights
            )
            operator = Affine(weights, operator.bias)
        nodes.append(Node(node.name, operator, node.inputs, node.width))

    report = classify(original, Graph(tuple(nodes)), NeuronMap.identity(original))

    assert report.kind is ChangeKind.UNCHANGED


def test_the_least_change_of_one_weight_is_seen_and_flows_downstream_only() -> None:
    tiny = Fraction(1, 2**200)

    def nudge(rows: Rows) -> None:
        rows[2][5] += tiny

    report = report_on(network(), 1, nudge)

    assert of(report, 1, 2).kind is ChangeKind.PERTURBED
    assert of(report, 1, 2).changed == 1
    assert [c.neuron for c in report.neurons if c.kind is not ChangeKind.UNCHANGED] == [(1, 2)]
    treatments = [report.layers[k].treatment for k in range(4)]
    assert treatments == [Treatment.TRANSLATE] + [Treatment.REVALIDATE] * 3
    assert of(report, 1, 3).treatment is Treatment.TRANSLATE
    assert of(report, 2, 0).treatment is Treatment.REVALIDATE


def test_a_changed_bias_is_a_perturbation() -> None:
    def shift(rows: Rows) -> None:
        rows[4][-1] += 1

    report = report_on(network(), 0, shift)

    assert of(report, 0, 4).kind is ChangeKind.PERTURBED
    assert of(report, 0, 4).changed == 0
    assert of(report, 0, 4).max_change == 1.0


def test_sizes_of_changes_are_measured() -> None:
    original = network()

    def shift(rows: Rows) -> None:
        rows[4][0] += 3
        rows[4][1] -= 4

    report = report_on(original, 0, shift)

    change = of(report, 0, 4)
    affine = original.nodes[1].operator
    assert isinstance(affine, Affine)
    size = np.hypot(
        np.linalg.norm(affine.weights[0].approximate), np.linalg.norm(affine.bias.approximate)
    )
    assert change.max_change == 4.0
    assert change.norm_change == 5.0
    assert change.relative_change == pytest.approx(5.0 / (size / np.sqrt(10)), rel=1e-12)
    assert report.layers[0].relative_change == pytest.approx(5.0 / size, rel=1e-12)


def test_zeroed_connections_are_counted() -> None:
    def prune(rows: Rows) -> None:
        rows[1][0] = rows[1][3] = rows[6][2] = Fraction(0)

    report = report_on(network(), 1, prune)

    assert of(report, 1, 1).kind is ChangeKind.CONNECTIONS_REMOVED
    assert (of(report, 1, 1).zeroed, of(report, 1, 6).zeroed) == (2, 1)
    assert report.layers[1].zeroed == 3
    assert report.kind is ChangeKind.CONNECTIONS_REMOVED
    assert report.treatment is Treatment.REVALIDATE


def test_a_neuron_without_incoming_weights_is_stuck() -> None:
    def silence(rows: Rows) -> None:
        rows[3][:-1] = [Fraction(0)] * (len(rows[3]) - 1)

    report = report_on(network(), 1, silence)

    assert of(report, 1, 3).kind is ChangeKind.STUCK
    assert of(report, 1, 3).treatment is Treatment.REWRITE_LITERALS
    assert report.treatment is Treatment.REWRITE_LITERALS


def test_a_neuron_that_nothing_reads_is_stuck() -> None:
    def deafen(rows: Rows) -> None:
        for row in rows:
            row[5] = Fraction(0)

    report = report_on(network(), 2, deafen)

    assert of(report, 1, 5).kind is ChangeKind.STUCK
    assert of(report, 2, 0).kind is ChangeKind.CONNECTIONS_REMOVED


def test_a_neuron_that_was_stuck_before_is_unchanged() -> None:
    def silence(rows: Rows) -> None:
        rows[3][:-1] = [Fraction(0)] * (len(rows[3]) - 1)

    original = edited(network(), 1, silence)

    report = classify(original, original, NeuronMap.identity(original))

    assert report.kind is ChangeKind.UNCHANGED


def test_removed_neurons_and_what_their_readers_lost() -> None:
    original = network()
    order = [list(range(10)), [0, 1, 2, 4, 5, 7], list(range(12))]
    values = {Neuron(1, 3): Fraction(1, 2), Neuron(1, 6): Fraction(0)}
    variant, truth = rearranged(original, order, values)

    report = classify(original, variant, truth)

    assert of(report, 1, 3).kind is ChangeKind.REMOVED
    assert of(report, 1, 3).treatment is Treatment.REWRITE_LITERALS
    assert of(report, 1, 7).kind is ChangeKind.UNCHANGED
    assert of(report, 1, 7).partner == Neuron(1, 5)
    for index in range(12):
        reader = of(report, 2, index)
        assert (reader.kind, reader.lost) == (ChangeKind.CONNECTIONS_REMOVED, 2)
    assert report.kind is ChangeKind.REMOVED
    assert report.layers[1].partners == 6


def test_a_bias_that_folding_does_not_explain_is_a_perturbation() -> None:
    original = network()
    order = [list(range(10)), [0, 1, 2, 4, 5, 6, 7], list(range(12))]
    variant, truth = rearranged(original, order, {Neuron(1, 3): Fraction(1, 2)})
    told = NeuronMap(truth.kept, {Neuron(1, 3): Fraction(9, 2)})

    report = classify(original, variant, told)

    assert {of(report, 2, index).kind for index in range(12)} == {ChangeKind.PERTURBED}


def test_permuted_neurons_are_unchanged() -> None:
    original = network(skips=0.5)
    order = [[*range(5, 10), *range(5)], list(range(8))[::-1], list(range(12))[::-1]]
    variant, truth = rearranged(original, order)

    report = classify(original, variant, truth)

    assert report.kind is ChangeKind.UNCHANGED


def test_ternary_and_shared_weights_are_recognised() -> None:
    original = random_network(np.random.default_rng(0), 32, (32, 32), 2)

    def ternary(rows: Rows) -> None:
        for number, row in enumerate(rows):
            size = Fraction(number + 20, 100)
            row[:-1] = [size * ((v > size / 2) - (v < -size / 2)) for v in row[:-1]]

    def shared(rows: Rows) -> None:
        for row in rows:
            row[:-1] = [Fraction(round(v * 4), 4) for v in row[:-1]]

    def fine(rows: Rows) -> None:
        for row in rows:
            row[:-1] = [Fraction(round(v * 100), 100) for v in row[:-1]]

    assert report_on(original, 0, ternary).layers[0].kind is ChangeKind.TERNARY
    assert report_on(original, 1, shared).layers[1].kind is ChangeKind.WEIGHTS_SHARED
    assert report_on(original, 1, shared).layers[1].distinct_after <= 32
    assert report_on(original, 1, fine).layers[1].kind is ChangeKind.PERTURBED


def test_rounding_perturbs_everything() -> None:
    original = network()

    report = classify(original, rounded(original, np.float16), NeuronMap.identity(original))

    assert report.kind is ChangeKind.PERTURBED
    assert 0 < max(layer.relative_change for layer in report.layers) < 2**-10


def test_strangers_are_unrelated() -> None:
    original, stranger = network(0), network(1)
    other_shape = random_network(np.random.default_rng(5), 9, (7, 6), 3)

    for variant in (stranger, other_shape):
        report = classify(original, variant, infer_map(original, variant))
        assert (report.kind, report.treatment) == (ChangeKind.UNRELATED, Treatment.NO_REUSE)
        assert report.layers[0].kind is ChangeKind.REPLACED


def test_a_partial_map_leaves_neurons_unmapped() -> None:
    original = network()
    kept = {n: n for n in NeuronMap.identity(original).kept if n != (1, 1)}

    report = classify(original, original, NeuronMap(kept, {}))

    assert of(report, 1, 1).kind is ChangeKind.UNMAPPED
    assert report.treatment is Treatment.REWRITE_LITERALS


def test_new_neurons_are_added_connections() -> None:
    wide = network()
    small, truth = rearranged(wide, [list(range(9)), list(range(8)), list(range(12))])

    report = classify(small, wide, NeuronMap({b: a for a, b in truth.kept.items()}, {}))

    assert {of(report, 1, index).added for index in range(8)} == {1}
    assert of(report, 1, 0).kind is ChangeKind.PERTURBED
    assert of(report, 0, 0).kind is ChangeKind.UNCHANGED


def test_the_report_is_json_and_a_short_table() -> None:
    report = report_on(network(), 1, lambda rows: rows[2].__setitem__(0, Fraction(0)))

    document = json.loads(json.dumps(report.json()))
    lines = report.table().splitlines()

    assert document["kind"] == "connections removed"
    assert document["layers"][1]["counts"] == {"unchanged": 7, "connections removed": 1}
    assert len(document["neurons"]) == 33
    assert lines[0].split() == [
        "layer",
        "neurons",
        "change",
        "zeroed",
        "max",
        "relative",
        "treatment",
    ]
    assert lines[2].startswith("1       8/8      connections removed (7 unchanged, 1 connections")
    assert lines[4].startswith("output")
    assert lines[-2:] == [
        "network: connections removed; revalidate",
        "neuron map: identity, confidence 1.00",
    ]


def test_maps_and_networks_that_do_not_fit_are_refused() -> None:
    original = network()
    other = random_network(np.random.default_rng(5), 4, (7, 6), 3)
    plain = Graph((Node("x", Input(), (), 2), Node("relu", Relu(), (0,), 2)))

    with pytest.raises(UsageError, match=r"\(9, 3\) in the original, \(4, 3\) in the compressed"):
        classify(original, other, NeuronMap({}, {}))
    with pytest.raises(UsageError, match=r"neuron \(1, 8\); original layer widths: \(10, 8, 12\)"):
        classify(original, original, NeuronMap({}, {Neuron(1, 8): Fraction(0)}))
    with pytest.raises(UsageError, match=r"neuron \(3, 0\); compressed"):
        classify(original, original, NeuronMap({Neuron(0, 0): Neuron(3, 0)}, {}))
    with pytest.raises(UnsupportedError, match="normal form"):
        classify(plain, plain, NeuronMap({}, {}))


def test_a_published_pruned_network_has_stuck_neurons(data: Path) -> None:
    name = "ACASXU_run2a_1_1_batch_2000"
    original = normalize(read_onnx(data / f"acasxu/onnx/{name}.onnx"))
    pruned = normalize(read_onnx(data / f"acasxu_compressed/onnx/pruned/{name}_pruned30.onnx"))

    report = classify(original, pruned, infer_map(original, pruned))

    stuck = [layer.counts.get(ChangeKind.STUCK, 0) for layer in report.layers]
    assert min(stuck[:-1]) >= 10
    assert report.treatment is Treatment.REWRITE_LITERALS


@pytest.mark.slow
def test_wide_networks_are_classified_too(data: Path) -> None:
    original = normalize(read_onnx(data / "mnist_fc/onnx/mnist-net_256x6.onnx"))

    report = classify(original, rounded(original, np.float16), NeuronMap.identity(original))

    assert len(report.neurons) == 6 * 256 + 10
    assert report.kind is ChangeKind.PERTURBED
