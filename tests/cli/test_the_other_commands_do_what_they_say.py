# SPDX-License-Identifier: Apache-2.0
"""``compress``, ``classify`` and ``encode``, and what holds for every command."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from typing import TYPE_CHECKING

import pytest
import z3

from tests.cli.running import Files, network_bytes, property_text, run
from verifier.change.neuron_map import NeuronMap
from verifier.cli.main import COMMANDS
from verifier.ir.fingerprint import fingerprint
from verifier.ir.onnx_reader import read_onnx
from verifier.proof.store import read_proof

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Proven


def test_compress_writes_a_network_its_map_and_a_report(files: Files) -> None:
    out = files.folder / "deep" / "variant"

    done = run(
        *("compress", files.network, "--method", "neuron_pruning", "--option", "count=3"),
        *("--out", out, "--format", "json"),
    )

    document = done.document
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert done.status == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "model.onnx",
        "neuron_map.json",
        "report.json",
    ]
    assert sum(read_onnx(out / "model.onnx").layer_widths) == 13
    assert len(NeuronMap.load(out / "neuron_map.json").removed) == 3
    assert document["report"]["method"] == report["method"] == "neuron_pruning"
    assert document["sha256"] == report["artefact_sha256"]
    assert report["base_sha256"] == hashlib.sha256(files.network.read_bytes()).hexdigest()


def test_compressing_again_replaces_the_variant(files: Files) -> None:
    words = (
        "compress",
        files.network,
        "--method",
        "magnitude_pruning",
        "--out",
        files.folder / "v",
    )

    first = run(*words, "--option", "sparsity=0.1", "--format", "json")
    again = run(*words, "--option", "sparsity=0.5", "--format", "json")

    assert (first.status, again.status) == (0, 0)
    written = (files.folder / "v" / "model.onnx").read_bytes()
    assert hashlib.sha256(written).hexdigest() == again.document["sha256"]
    assert again.document["sha256"] != first.document["sha256"]


def test_the_methods_are_listed_with_their_options() -> None:
    methods = {
        m["name"]: m for m in run("compress", "--list", "--format", "json").document["methods"]
    }
    text = run("compress", "--list").printed

    assert {"magnitude_pruning", "neuron_pruning", "integer_quantisation"} <= methods.keys()
    for name, method in methods.items():
        assert f"{name}: {method['summary']}" in text
        for option in method["options"]:
            assert f"  {option['name']}={option['default']}" in text


def test_classify_counts_the_removed_neurons(proven: Proven) -> None:
    done = run("classify", proven.files.network, proven.variant, "--format", "json")
    text = run("classify", proven.files.network, proven.variant).printed

    document = done.document
    kinds = [neuron["kind"] for neuron in document["neurons"]]
    assert document["kind"] == "removed"
    assert kinds.count("removed") == 2
    assert document["map"]["how"].startswith("read from")
    assert "rewrite literals" in text


def test_classify_infers_a_map_where_none_is_given(proven: Proven, tmp_path: Path) -> None:
    alone = tmp_path / "model.onnx"
    alone.write_bytes(proven.variant.read_bytes())

    given = run(
        *("classify", proven.files.network, alone, "--format", "json"),
        *("--neuron-map", proven.variant.with_name("neuron_map.json")),
    )
    inferred = run("classify", proven.files.network, alone, "--format", "json")

    assert given.document["map"]["source"] == "given"
    assert inferred.document["map"]["source"] == "inferred"


def test_classify_puts_the_widths_of_bounds_beside_each_other(proven: Proven) -> None:
    words = ("classify", proven.files.network, proven.variant)
    prop = ("--property", proven.files.holds)

    layers = run(*words, *prop, "--format", "json").document["layers"]
    plain = run(*words, "--format", "json").document["layers"]

    assert ["bound_widths" in layer for layer in layers] == [True, True, False]
    assert [layer | layers[n] for n, layer in enumerate(plain)] == layers
    for layer in layers[:2]:
        for widths in layer["bound_widths"].values():
            assert 0 < widths["mean"] <= widths["largest"]
            assert 0 < widths["unstable"] <= layer["width"]
    before, after = layers[0]["bound_widths"].values()
    # The first layer's bounds are exact, and two of its eight neurons are gone.
    assert before["largest"] >= after["largest"]
    assert after["unstable"] <= 6
    assert f"unstable {before['unstable']} -> {after['unstable']}" in run(*words, *prop).printed


def test_a_property_that_does_not_fit_cannot_be_classified_by(proven: Proven) -> None:
    other = proven.files.path("other.vnnlib", property_text("(>= Y_0 1)", inputs=4))

    done = run("classify", proven.files.network, proven.variant, "--property", other)

    assert done.status == 2
    assert "4 inputs" in done.errors


def test_networks_of_other_widths_cannot_be_classified(files: Files) -> None:
    other = files.folder / "other.onnx"
    other.write_bytes(network_bytes(inputs=4))

    assert run("classify", files.network, other).status == 2


@pytest.mark.parametrize(("name", "answer"), [("holds", z3.unsat), ("violated", z3.sat)])
def test_the_encoded_question_has_the_expected_answer(
    files: Files, name: str, answer: z3.CheckSatResult
) -> None:
    script = files.folder / "q.smt2"

    done = run("encode", files.network, getattr(files, name), "--smtlib", script)

    solver = z3.Solver()
    solver.from_string(script.read_text(encoding="utf-8"))
    assert done.status == 0
    assert solver.check() == answer
    assert hashlib.sha256(files.network.read_bytes()).hexdigest() in script.read_text("utf-8")


GROUPS = {"certificate": ["check"], "evidence": ["check"], "keys": ["create"]}
NAMES = [module.__name__.rpartition(".")[2].replace("_", "-") for module in COMMANDS]


@pytest.mark.parametrize("command", NAMES)
def test_each_command_explains_itself(command: str) -> None:
    words = [command, *GROUPS.get(command, ())]

    done = run(*words, "--help")

    assert done.status == 0
    assert {"--format", "--quiet"} <= set(done.printed.split())


def test_results_go_to_standard_output_and_the_rest_elsewhere(proven: Proven) -> None:
    words = ("reverify", proven.variant, proven.files.holds, "--proof", proven.proof)

    loud, quiet = run(*words), run(*words, "--quiet")

    assert "neuron map" in loud.errors
    assert quiet.errors == ""
    assert loud.printed.splitlines()[0] == quiet.printed.splitlines()[0]


def test_a_pipe_is_written_to_and_stays_a_pipe(files: Files) -> None:
    pipe = files.folder / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()

    done = run("prove", files.network, files.holds, "--proof", pipe)
    reader.join(timeout=10)

    assert done.status == 0
    assert pipe.is_fifo()
    copy = files.folder / "copy"
    copy.write_bytes(received[0])
    assert read_proof(copy).network == fingerprint(read_onnx(files.network))


def test_a_link_is_followed(files: Files) -> None:
    target = files.folder / "real.proof"
    link = files.folder / "link.proof"
    link.symlink_to(target)

    assert run("prove", files.network, files.holds, "--proof", link).status == 0

    assert link.is_symlink()
    assert read_proof(target).cores
