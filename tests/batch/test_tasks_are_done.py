# SPDX-License-Identifier: Apache-2.0
"""A task is done from its bytes alone, and what is wrong with them is an outcome."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.running import HOLDS_FROM, VIOLATED_UP_TO, network_bytes, property_text
from verifier.batch.instances import jobs_of_instances
from verifier.batch.task import Outcome, Task
from verifier.batch.work import execute
from verifier.bounds import warm_up
from verifier.certificate.checker import check_certificate
from verifier.certificate.format import read_certificate
from verifier.errors import ModelError
from verifier.ir import import_gate
from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.onnx_reader import read_onnx
from verifier.spec.counterexample import violates
from verifier.spec.vnnlib_reader import parse_vnnlib

if TYPE_CHECKING:
    from pathlib import Path

HOLDS = property_text(f"(>= Y_0 {HOLDS_FROM})").encode()
VIOLATED = property_text(f"(>= Y_0 {VIOLATED_UP_TO})").encode()


def verify(prop: bytes, files: dict[str, bytes] | None = None, **options: Any) -> Outcome:
    own = {"model.onnx": network_bytes(), "property.vnnlib": prop}
    return execute(Task("verify", own | (files or {}), options))


def test_a_property_that_holds_leaves_a_proof_and_a_certificate(tmp_path: Any) -> None:
    done = verify(HOLDS, keep=True, certify=True)

    assert done.error == ""
    assert done.document["verdict"] == "holds"
    assert done.document["cores"] > 0
    place = tmp_path / "certificate.json.gz"
    place.write_bytes(done.files["certificate"])
    prop = parse_vnnlib(HOLDS.decode(), "p")
    assert check_certificate(read_certificate(place), read_onnx(network_bytes()), prop).accepted


def test_a_violation_is_shown_by_a_point_that_is_one() -> None:
    done = verify(VIOLATED)

    point = [Fraction(value) for value in done.document["counterexample"]["input"]]
    prop = parse_vnnlib(VIOLATED.decode(), "p")
    assert done.document["verdict"] == "violated"
    assert violates(prop, point, evaluate_exactly(read_onnx(network_bytes()), point))
    assert done.files == {}


def test_a_variant_is_verified_by_the_proof_of_its_base() -> None:
    proof = verify(HOLDS, keep=True).files["proof"]
    made = execute(
        Task(
            "compress",
            {"model.onnx": network_bytes()},
            {"method": "integer_quantisation", "options": ["bits=16"]},
        )
    )
    files = {**made.files, "base.proof": proof}

    done = verify(HOLDS, files)

    assert set(made.files) == {"model.onnx", "neuron_map.json"}
    assert done.document["verdict"] == "holds"
    assert done.document["reuse"]["valid"] > 0


def test_nothing_is_answered_about_a_file_that_runs_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proof = verify(HOLDS, keep=True).files["proof"]

    def differs(*_: object, **__: object) -> None:
        msg = "onnxruntime computes something else"
        raise ModelError(msg)

    monkeypatch.setattr(import_gate, "check_against_onnxruntime", differs)
    query = {"query.vnnlib": HOLDS, "model.onnx": network_bytes()}

    for done in (
        verify(HOLDS),
        verify(HOLDS, {"base.proof": proof}),
        execute(Task("query", query, {"networks": {"": "model.onnx"}})),
    ):
        assert done.error == "model.onnx: onnxruntime computes something else"


def test_the_proof_of_another_property_is_refused() -> None:
    proof = verify(HOLDS, keep=True).files["proof"]

    done = verify(VIOLATED, {"base.proof": proof})

    assert "verdict" not in done.document
    assert "prove this property first" in done.error


@pytest.mark.slow
def test_a_query_is_answered_by_the_names_it_declares() -> None:
    box = [f"(>= X[0,{i}] -1) (<= X[0,{i}] 1) (== X[0,{i}] V[0,{i}])" for i in range(3)]
    text = f"""(vnnlib-version <2.0>)
    (declare-network f (declare-input X Real [1,3]) (declare-output Y Real [2]))
    (declare-network g (equal-to f) (declare-input V Real [1,3]) (declare-output W Real [2]))
    (assert (and {" ".join(box)}))
    (assert (> Y[0] W[0]))"""
    files = {"query.vnnlib": text.encode(), "a.onnx": network_bytes(), "b.onnx": network_bytes()}
    networks = {"f": "a.onnx", "g": "b.onnx"}

    same = execute(Task("query", files, {"networks": networks, "timeout_seconds": 60.0}))
    other = execute(Task("query", files | {"b.onnx": network_bytes(4)}, {"networks": networks}))

    assert same.document["verdict"] == "holds"
    assert "declared equal to f, which is another file" in other.error


@pytest.mark.parametrize("prop", [HOLDS, VIOLATED])
def test_a_network_without_a_name_is_the_one_that_the_query_declares(prop: bytes) -> None:
    files = {"query.vnnlib": prop, "a.onnx": network_bytes()}

    done = execute(Task("query", files, {"networks": {"": "a.onnx"}}))

    assert done.document["verdict"] == ("holds" if prop == HOLDS else "violated")


def test_a_network_that_a_query_cannot_use_is_named_once() -> None:
    files = {"query.vnnlib": HOLDS, "a.onnx": b"none"}

    done = execute(Task("query", files, {"networks": {"": "a.onnx"}}))

    assert done.error.startswith("a.onnx: ")
    assert done.error.count("a.onnx") == 1
    assert not done.is_crash


@pytest.mark.parametrize("command", ["verify", "query"])
def test_compiling_is_done_before_the_clock_starts(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.0]

    def compile_for_long() -> None:
        seconds[0] += 50.0

    monkeypatch.setattr(warm_up, "warm_up", compile_for_long)
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    files = {"model.onnx": network_bytes(), "property.vnnlib": HOLDS, "query.vnnlib": HOLDS}

    done = execute(Task(command, files, {"networks": {"": "model.onnx"}, "timeout_seconds": 1.0}))

    assert seconds == [50.0]
    assert done.document["verdict"] == "holds"
    assert done.document["run_seconds"] < 1.0


def test_time_that_is_spent_is_an_honest_unknown() -> None:
    done = verify(HOLDS, timeout_seconds=1e-9)

    assert done.document["verdict"] == "unknown"
    assert done.document["reason"].startswith("time limit reached")


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("model.onnx", b"none", "model.onnx: "),
        ("property.vnnlib", b"(assert", "property.vnnlib:1:1: "),
        ("base.proof", b"none", "base.proof: not a readable proof file"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_outcome_that_names_it(
    file: str, content: bytes, reason: str
) -> None:
    done = verify(HOLDS, {file: content})

    assert done.error.startswith(reason)
    assert "verdict" not in done.document


def test_digests_tell_apart_all_that_matters() -> None:
    base = Task("verify", {"model.onnx": b"a", "property.vnnlib": b"b"}, {"keep": True})
    others = [
        Task("query", base.files, base.options),
        Task("verify", {"model.onnx": b"b", "property.vnnlib": b"a"}, base.options),
        Task("verify", {**base.files, "base.proof": b""}, base.options),
        Task("verify", base.files, {"keep": False}),
        Task("verify", base.files, {}),
    ]

    assert len({base.digest, *(other.digest for other in others)}) == 6
    reordered = {"property.vnnlib": b"b", "model.onnx": b"a"}
    assert Task("verify", reordered, {"keep": True}).digest == base.digest


def test_a_row_of_a_table_hands_each_network_its_own_file(tmp_path: Path) -> None:
    contents = {"a.onnx": b"first", "b.onnx": b"second", "q.vnnlib": b"query"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    table = tmp_path / "instances.csv"
    table.write_text("\"[('f', 'a.onnx'), ('g', 'b.onnx')]\",q.vnnlib,60\n", encoding="utf-8")

    (job,) = jobs_of_instances(table)
    task = job.make({})

    assert isinstance(task, Task)
    named = {name: task.files[file] for name, file in task.options["networks"].items()}
    assert named == {"f": b"first", "g": b"second"}
    assert task.files["query.vnnlib"] == b"query"
