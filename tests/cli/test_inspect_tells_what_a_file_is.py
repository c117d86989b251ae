# SPDX-License-Identifier: Apache-2.0
"""``inspect`` reads a file as the other commands do, and tells what it is."""

from __future__ import annotations

import gzip
import hashlib
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import onnx
import pytest

from tests.cli.running import HOLDS_FROM, INPUTS, LAYERS, OUTPUTS, Files, property_text, run
from verifier.certificate.format import write_certificate
from verifier.ir.fingerprint import fingerprint
from verifier.ir.onnx_reader import read_onnx
from verifier.spec.fingerprint import property_fingerprint
from verifier.spec.vnnlib_reader import read_vnnlib

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Proven

USAGE, REFUSED = 2, 3


def summary(kind: str, file: Path) -> dict[str, Any]:
    done = run("inspect", file, "--kind", kind, "--format", "json")
    assert done.status == 0, done.errors
    document = done.document
    assert (document["command"], document["kind"]) == ("inspect", kind)
    assert document["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert document["bytes"] == file.stat().st_size
    found: dict[str, Any] = document["summary"]
    return found


def test_a_model_is_told_by_its_sizes_and_held_against_onnxruntime(files: Files) -> None:
    found = summary("model", files.network)

    assert found["fingerprint"] == fingerprint(read_onnx(files.network))
    assert (found["inputs"], found["outputs"]) == (INPUTS, OUTPUTS)
    assert found["layer_widths"] == list(LAYERS)
    assert found["neurons"] == sum(LAYERS)
    widths = (INPUTS, *LAYERS, OUTPUTS)
    assert found["parameters"] == sum((before + 1) * after for before, after in pairwise(widths))
    assert 0 < found["nonzero_parameters"] <= found["parameters"]
    assert found["operators"] == {"Gemm": 3, "Relu": 2}
    assert found["input_shape"] == [1, INPUTS]
    assert found["input_type"] == "float"
    assert found["opset"] > 0
    assert found["onnxruntime"] == {"agrees": True, "reason": ""}


def test_a_model_that_onnxruntime_runs_otherwise_is_refused(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    misread = read_onnx(files.network)
    other = files.folder / "other.onnx"
    other.write_bytes(_with_another_bias(files.network.read_bytes()))
    monkeypatch.setattr("verifier.ir.onnx_reader.read_onnx", lambda _: misread)

    done = run("inspect", other, "--kind", "model")

    assert done.status == REFUSED
    assert "onnxruntime differ" in done.errors


def _with_another_bias(content: bytes) -> bytes:
    model = onnx.ModelProto.FromString(content)
    bias = onnx.numpy_helper.to_array(model.graph.initializer[1]) + 1
    name = model.graph.initializer[1].name
    model.graph.initializer[1].CopyFrom(onnx.numpy_helper.from_array(bias, name))
    changed: bytes = model.SerializeToString()
    return changed


def test_a_property_is_told_with_the_box_of_its_first_case(files: Files) -> None:
    found = summary("property", files.holds)

    assert found["fingerprint"] == property_fingerprint(read_vnnlib(files.holds))
    assert (found["inputs"], found["outputs"], found["cases"]) == (INPUTS, OUTPUTS, 1)
    assert found["box"] == {
        "varying_inputs": INPUTS,
        "largest_width": 2.0,
        "lower": [-1.0] * INPUTS,
        "upper": [1.0] * INPUTS,
    }


def test_of_many_inputs_only_the_widths_are_told(files: Files) -> None:
    text = property_text(f"(>= Y_0 {HOLDS_FROM})", inputs=17).replace("X_3 -1.0", "X_3 1.0")
    file = files.path("wide.vnnlib", text)

    assert summary("property", file)["box"] == {"varying_inputs": 16, "largest_width": 2.0}


def test_ends_beyond_float64_are_null(files: Files) -> None:
    text = property_text("(>= Y_0 1)").replace("(<= X_1 1.0)", "(<= X_1 1e999)")

    box = summary("property", files.path("far.vnnlib", text))["box"]

    assert (box["upper"], box["largest_width"]) == ([1.0, None, 1.0], None)


def test_a_property_without_cases_has_no_box(files: Files) -> None:
    file = files.path("none.vnnlib", property_text("(and (>= Y_0 1) (<= X_0 -3))"))

    found = summary("property", file)

    assert (found["cases"], found["box"]) == (0, None)


def test_a_proof_and_a_certificate_name_what_they_are_about(proven: Proven) -> None:
    network = fingerprint(read_onnx(proven.files.network))
    prop = property_fingerprint(read_vnnlib(proven.files.holds))

    proof, certificate = (
        summary("proof", proven.proof),
        summary("certificate", proven.certificate),
    )

    for found in (proof, certificate):
        assert (found["network"], found["property"]) == (network, prop)
        assert found["verdict"] == "holds"
    assert proof["layer_widths"] == list(LAYERS)
    assert 1 < proof["cores"] <= proof["leaves"]
    assert proof["seconds"] > 0
    assert certificate["format"] == "mucg4-certificate/1"
    assert certificate["semantics"] == "real"
    assert min(certificate[name] for name in ("atoms", "regions", "cores", "clauses")) > 0


def test_a_neuron_map_is_counted_by_layer(proven: Proven) -> None:
    found = summary("neuron_map", proven.variant.with_name("neuron_map.json"))

    assert (found["source"], found["confidence"]) == ("given", 1.0)
    assert (found["kept"], found["removed"]) == (14, 2)
    assert [layer["kept"] + layer["removed"] for layer in found["layers"]] == list(LAYERS)


@pytest.mark.parametrize("kind", ["model", "property", "proof", "certificate", "neuron_map"])
def test_what_is_no_such_file_ends_as_it_does_in_other_commands(files: Files, kind: str) -> None:
    file = files.path("something", "this is something else")

    done = run("inspect", file, "--kind", kind, "--format", "json")

    assert done.status == (USAGE if kind == "property" else REFUSED)
    assert "something" in done.document["error"]["message"]
    assert run("inspect", files.folder / "nothing", "--kind", kind).status == USAGE


def map_text(**changed: object) -> str:
    document = {"format": "mucg4-neuron-map/1", "kept": [], "removed": []}
    return json.dumps(document | {"source": "given", "confidence": 1.0} | changed)


HOSTILE_MAPS = {
    "division by zero": map_text(removed=[[0, 0, "1/0"]]),
    "a number too long to write": map_text(removed=[[0, 0, "1e999999999"]]),
    "infinite index": map_text(kept=[[0, 0, float("inf"), 0]]),
    "confidence that is no number": map_text(confidence=float("nan")),
    "more than certain": map_text(confidence=2.0),
    "endless source": map_text(source="x" * 1000),
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE_MAPS)
def test_a_hostile_neuron_map_is_refused(files: Files, name: str) -> None:
    done = run("inspect", files.path("map.json", HOSTILE_MAPS[name]), "--kind", "neuron_map")

    assert done.status == REFUSED, done.errors


def test_a_certificate_whose_fields_are_no_texts_is_refused(files: Files) -> None:
    file = files.folder / "odd.certificate"
    write_certificate({"format": "mucg4-certificate/1", "verdict": ["holds"]}, file)

    done = run("inspect", file, "--kind", "certificate")

    assert done.status == REFUSED
    assert "'verdict'" in done.errors


def test_a_compressed_file_is_named_by_its_own_bytes(files: Files) -> None:
    packed = files.folder / "holds.vnnlib.gz"
    packed.write_bytes(gzip.compress(files.holds.read_bytes(), mtime=0))

    assert summary("property", packed) == summary("property", files.holds)


def test_people_get_one_fact_a_line(proven: Proven) -> None:
    printed = run("inspect", proven.files.network, "--kind", "model").printed

    facts = dict(line.split(maxsplit=1) for line in printed.splitlines())
    assert facts["kind"] == "model"
    assert facts["operators"] == "Gemm 3, Relu 2"
    assert facts["onnxruntime"] == "agrees yes"
