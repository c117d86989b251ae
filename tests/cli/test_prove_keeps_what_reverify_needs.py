# SPDX-License-Identifier: Apache-2.0
"""``prove``, ``reverify`` and ``certificate check``: what they print and what they write."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.running import Files, network_bytes, property_text, run
from tests.oracles import decide_by_phase_enumeration, evaluate_naively, violates
from verifier.certificate import holds
from verifier.certificate.format import read_certificate
from verifier.ir.onnx_reader import read_onnx
from verifier.proof.store import read_proof
from verifier.spec.vnnlib_reader import read_vnnlib
from verifier.verdict import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Proven

RESULT_KEYS = {
    "command",
    "verdict",
    "reason",
    "semantics",
    "seconds",
    "counterexample",
    "statistics",
    "proof",
    "certificate",
    "not_written",
}
REUSE_KEYS = {
    "cores",
    "valid",
    "repaired",
    "dropped",
    "untranslatable",
    "residual_subproblems",
    "proof_reuse_rate",
}


def reverify(proven: Proven, *words: object) -> dict[str, Any]:
    done = run(
        *("reverify", proven.variant, proven.files.holds, "--proof", proven.proof),
        *("--format", "json", *words),
    )
    assert done.status == 0, done.errors
    return done.document


@pytest.mark.slow
def test_a_verdict_alone_needs_no_proof_file(files: Files) -> None:
    before = set(files.folder.iterdir())

    done = run("prove", files.network, files.holds, "--format", "json")

    assert (done.status, done.document["verdict"]) == (0, "holds")
    assert done.document["proof"] is None
    assert done.document["not_written"] == {}
    assert set(files.folder.iterdir()) == before


@pytest.mark.slow
def test_the_two_properties_are_what_their_names_say(files: Files) -> None:
    graph = read_onnx(files.network)

    answers = [
        decide_by_phase_enumeration(graph, read_vnnlib(path))[0]
        for path in (files.holds, files.violated)
    ]

    assert answers == [Answer.UNSAT, Answer.SAT]


def test_prove_says_holds_and_keeps_proof_and_certificate(files: Files) -> None:
    proof, certificate = files.folder / "p", files.folder / "c"

    done = run(
        *("prove", files.network, files.holds, "--proof", proof),
        *("--certificate", certificate, "--format", "json"),
    )

    assert done.status == 0
    document = done.document
    assert document.keys() >= RESULT_KEYS | {"cores"}
    assert (document["verdict"], document["reason"]) == ("holds", "")
    assert document["semantics"] == "real"
    assert document["counterexample"] is None
    assert document["seconds"] > 0
    assert document["cores"] == len(read_proof(proof).cores) > 1
    assert (document["proof"], document["certificate"]) == (str(proof), str(certificate))
    assert certificate.is_file()


def test_prove_shows_a_counterexample_and_its_replay(files: Files) -> None:
    done = run(
        *("prove", files.network, files.violated, "--proof", files.folder / "p"),
        *("--format", "json"),
    )

    document = done.document
    point = [Fraction(value) for value in document["counterexample"]["input"]]
    assert (done.status, document["verdict"], document["cores"]) == (0, "violated", 0)
    assert violates(read_vnnlib(files.violated), read_onnx(files.network), point)
    assert [run["is_optimised"] for run in document["counterexample"]["replay"]] == [False, True]
    assert document["counterexample"]["is_confirmed_in_floats"]
    assert all(run["inside_box"] for run in document["counterexample"]["replay"])


@pytest.mark.parametrize(("name", "word"), [("holds", "holds"), ("violated", "violated")])
def test_the_text_names_the_verdict_first(files: Files, name: str, word: str) -> None:
    done = run("prove", files.network, getattr(files, name), "--proof", files.folder / "p")

    assert done.printed.splitlines()[0].split()[:2] == ["verdict", f"{word}:"]
    assert "real arithmetic" in done.printed


def test_reverify_reports_what_became_of_the_cores(proven: Proven) -> None:
    document = reverify(proven)

    reuse = document["reuse"]
    vacuous = reuse["vacuous"]
    assert document.keys() >= RESULT_KEYS | {"reuse", "neuron_map", "change"}
    assert document["verdict"] == "holds"
    assert reuse.keys() >= REUSE_KEYS
    assert min(reuse["valid"], reuse["repaired"], reuse["residual_subproblems"]) > 0
    assert reuse["cores"] == reuse["valid"] + reuse["repaired"] + reuse["dropped"] + vacuous
    assert 0 <= reuse["proof_reuse_rate"] <= 1


def test_reverify_agrees_with_prove_on_the_variant(proven: Proven, tmp_path: Path) -> None:
    scratch = run(
        *("prove", proven.variant, proven.files.holds, "--proof", tmp_path / "p"),
        *("--format", "json"),
    )

    assert reverify(proven)["verdict"] == scratch.document["verdict"]


def test_reverify_reuses_every_core_on_the_original_itself(proven: Proven) -> None:
    files = proven.files
    done = run(
        *("reverify", files.network, files.holds, "--proof", proven.proof),
        *("--format", "json", "--quiet"),
    )

    assert done.document["reuse"]["proof_reuse_rate"] == 1
    assert done.document["verdict"] == "holds"
    assert done.errors == ""


def test_a_violated_original_gives_its_counterexample_to_the_variant(proven: Proven) -> None:
    files = proven.files
    done = run(
        *("reverify", files.network, files.violated, "--proof", proven.violated_proof),
        *("--format", "json"),
    )

    assert done.document["verdict"] == "violated"


def test_a_counterexample_comes_with_what_the_original_does_there(proven: Proven) -> None:
    files = proven.files
    words = ("reverify", proven.variant, files.violated, "--proof", proven.violated_proof)

    alone = run(*words, "--format", "json").document["counterexample"]
    found = run(*words, "--original", files.network, "--format", "json").document["counterexample"]

    point = [Fraction(value) for value in found["input"]]
    expected = evaluate_naively(read_onnx(files.network), point)
    assert [Fraction(value) for value in found["original_output"]] == list(expected)
    assert found["original_output"] != found["output"]
    assert "original_output" not in alone


def test_the_map_beside_the_variant_is_used_and_named(proven: Proven) -> None:
    document = reverify(proven)

    assert (
        document["neuron_map"]["how"] == f"read from {proven.variant.with_name('neuron_map.json')}"
    )
    assert document["neuron_map"]["source"] == "given"


@pytest.mark.slow
def test_a_map_is_inferred_where_there_is_only_the_original(proven: Proven, tmp_path: Path) -> None:
    alone = tmp_path / "model.onnx"
    alone.write_bytes(proven.variant.read_bytes())
    done = run(
        *("reverify", alone, proven.files.holds, "--proof", proven.proof),
        *("--original", proven.files.network, "--format", "json"),
    )

    assert done.status == 0
    assert done.document["neuron_map"]["source"] == "inferred"
    assert "confidence" in done.errors
    assert done.document["change"]["kind"] == "removed"


def test_the_differential_margin_is_tried_where_no_file_is_wanted(
    proven: Proven, tmp_path: Path
) -> None:
    files = proven.files
    words = [
        *("reverify", files.network, files.holds, "--proof", proven.proof),
        *("--original", files.network, "--format", "json"),
    ]

    plain, certified = run(*words), run(*words, "--certificate", tmp_path / "c")

    assert plain.document["by_differential_margin"] is True
    assert certified.document["by_differential_margin"] is False
    assert (plain.document["verdict"], certified.document["verdict"]) == ("holds", "holds")
    assert (tmp_path / "c").is_file()


def test_widths_that_differ_need_a_map_or_the_original(proven: Proven, tmp_path: Path) -> None:
    alone = tmp_path / "model.onnx"
    alone.write_bytes(proven.variant.read_bytes())

    done = run("reverify", alone, proven.files.holds, "--proof", proven.proof)

    assert done.status == 2
    assert "neuron map" in done.errors


def test_a_saved_proof_serves_the_next_variant(proven: Proven, tmp_path: Path) -> None:
    assert reverify(proven, "--save-proof", tmp_path / "next")["verdict"] == "holds"

    done = run(
        *("reverify", proven.variant, proven.files.holds, "--proof", tmp_path / "next"),
        *("--original", proven.variant, "--format", "json"),
        *("--neuron-map", identity_map(proven, tmp_path)),
    )

    assert done.status == 0, done.errors
    assert done.document["reuse"]["proof_reuse_rate"] == 1


def identity_map(proven: Proven, folder: Path) -> Path:
    from verifier.change.neuron_map import NeuronMap

    path = folder / "identity.json"
    NeuronMap.identity(read_onnx(proven.variant)).save(path)
    return path


def test_the_checker_accepts_certificates_of_originals_and_of_variants(
    proven: Proven, tmp_path: Path
) -> None:
    reverify(proven, "--certificate", tmp_path / "c.gz", "--original", proven.files.network)

    for certificate, network in (
        (proven.certificate, proven.files.network),
        (tmp_path / "c.gz", proven.variant),
    ):
        done = run(
            *("certificate", "check", certificate, "--network", network),
            *("--property", proven.files.holds, "--format", "json"),
        )
        assert done.status == 0
        assert done.document["accepted"] is True
        assert done.document["reason"] == ""


def test_integers_alone_judge_where_floats_are_not_wanted(
    proven: Proven, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(holds, "FloatJudge", refuse)

    done = run(
        *("certificate", "check", proven.certificate, "--network", proven.files.network),
        *("--property", proven.files.holds, "--integers"),
    )

    assert done.status == 0


def test_a_certificate_says_how_its_process_was_confined(proven: Proven, tmp_path: Path) -> None:
    files, told = proven.files, tmp_path / "told"
    words = ("--certificate", told, "--isolation", "landlock, no network")

    proved = run("prove", files.network, files.holds, *words)
    about = ("--network", files.network, "--property", files.holds)
    checked = run("certificate", "check", told, *about)

    assert (proved.status, checked.status) == (0, 0), (proved.errors, checked.errors)
    assert read_certificate(told)["isolation"] == "landlock, no network"
    assert "isolation" not in read_certificate(proven.certificate)
    shown = run("inspect", told, "--kind", "certificate", "--format", "json").document
    assert shown["summary"]["isolation"] == "landlock, no network"

    told.write_bytes(told.read_bytes().replace(b"no network", b"no windows"))
    assert "changed after it was written" in run("certificate", "check", told, *about).errors


@pytest.mark.parametrize("text", ["", "two\nlines", "x" * 201], ids=len)
def test_isolation_is_one_short_line(files: Files, text: str) -> None:
    done = run("prove", files.network, files.holds, "--isolation", text)

    assert done.status == 2
    assert "1 to 200 printable characters" in done.errors


def test_the_checker_rejects_a_certificate_of_another_network(
    proven: Proven, tmp_path: Path
) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(network_bytes(seed=4))

    done = run(
        *("certificate", "check", proven.certificate, "--network", other),
        *("--property", proven.files.holds, "--format", "json"),
    )

    assert done.status == 3
    assert done.document["accepted"] is False
    assert "network" in done.document["reason"]


def test_a_set_of_inputs_beyond_floats_has_a_verdict(files: Files) -> None:
    far = property_text("(>= Y_0 1)").replace("(<= X_0 1.0)", f"(<= X_0 1{'0' * 50}.0)")

    done = run(
        *("prove", files.network, files.path("far.vnnlib", far), "--proof", files.folder / "p"),
        *("--format", "json", "--timeout", "0.5"),
    )

    assert done.status == 0, done.errors
    assert done.document["verdict"] in {"violated", "unknown"}


def test_a_tiny_limit_ends_in_unknown_with_a_reason(files: Files) -> None:
    hard = files.path("hard.vnnlib", property_text("(>= Y_0 1.28)"))
    proof, certificate = files.folder / "p", files.folder / "c"

    done = run(
        *("prove", files.network, hard, "--proof", proof, "--certificate", certificate),
        *("--timeout", "1e-9", "--format", "json"),
    )

    assert done.status == 0
    assert done.document["verdict"] == "unknown"
    assert done.document["reason"]
    assert done.document["not_written"].keys() == {"proof", "certificate"}
    assert not proof.exists()
    assert not certificate.exists()


def test_reverify_within_a_tiny_limit_is_unknown_with_a_reason(proven: Proven) -> None:
    document = reverify(proven, "--timeout", "1e-9")

    assert document["verdict"] == "unknown"
    assert document["reason"]
