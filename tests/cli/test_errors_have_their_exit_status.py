# SPDX-License-Identifier: Apache-2.0
"""Each kind of wrong request ends in its own exit status, with a message and never a verdict."""

from __future__ import annotations

import gzip
import json
import shutil
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.cli.running import Files, Outcome, network_bytes, property_text, run
from verifier.cli import prove as prove_command
from verifier.ir.onnx_reader import read_onnx

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.cli.conftest import Proven

USAGE, REFUSED, INTERNAL, INTERRUPTED = 2, 3, 4, 130


def prove(files: Files, **changed: Path) -> Outcome:
    """Run ``prove`` with some of its files exchanged."""
    chosen = {"network": files.network, "property": files.holds, **changed}
    return run(
        *("prove", chosen["network"], chosen["property"]),
        *("--proof", files.folder / "out.proof", "--format", "json"),
    )


def expect_failure(done: Outcome, status: int, *words: str) -> None:
    assert done.status == status, (done.status, done.errors)
    assert "verdict" not in done.document
    assert done.document["exit_status"] == status
    message = done.document["error"]["message"]
    assert [word for word in words if word not in message] == [], message
    assert message.splitlines()[0] in done.errors


def model(nodes: Sequence[onnx.NodeProto], shape: Sequence[Any], **tensors: Any) -> bytes:
    """Return a model from ``x`` to ``y``."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(v, np.float32), name) for name, v in tensors.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    content: bytes = made.SerializeToString()
    return content


GEMM = helper.make_node("Gemm", ["x", "w", "b"], ["y"], name="dense")
WEIGHTS = {"w": np.ones((3, 2)), "b": np.zeros(2)}
BAD_WEIGHTS = WEIGHTS | {"w": np.full((3, 2), np.nan)}
SOFTMAX = helper.make_node("Softmax", ["x"], ["y"], name="probabilities")

BAD_MODELS = {
    "truncated": (network_bytes()[:-40], ["not an ONNX model"]),
    "empty": (b"", ["not an ONNX model"]),
    "text": (b"this is no network", ["not an ONNX model"]),
    "unknown operator": (model([SOFTMAX], [1, 3]), ["Softmax", "probabilities"]),
    "free axis beside the batch": (model([GEMM], ["batch", "width"], **WEIGHTS), ["axis"]),
    "not a number": (model([GEMM], [1, 3], **BAD_WEIGHTS), ["'w'"]),
}

BAD_PROPERTIES = {
    "other inputs": (property_text("(>= Y_0 1)", inputs=4), ["4 inputs", "3"]),
    "other outputs": (property_text("(>= Y_0 1)", outputs=5), ["5 outputs", "2"]),
    "no upper bound": (
        property_text("(>= Y_0 1)").replace("(assert (<= X_1 1.0))", ""),
        ["X_1", "bound"],
    ),
    "unbalanced": (property_text("(>= Y_0 1)") + "(assert", ["bad.vnnlib:13:1", "parenthesis"]),
    "undeclared": (property_text("(>= Y_7 1)"), ["Y_7"]),
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_a_network_that_cannot_be_trusted_is_refused(files: Files, name: str) -> None:
    content, words = BAD_MODELS[name]
    bad = files.folder / "bad.onnx"
    bad.write_bytes(content)

    expect_failure(prove(files, network=bad), REFUSED, "bad.onnx", *words)


@pytest.mark.parametrize("name", BAD_PROPERTIES)
def test_a_property_that_does_not_fit_is_wrong_usage(files: Files, name: str) -> None:
    text, words = BAD_PROPERTIES[name]

    expect_failure(prove(files, property=files.path("bad.vnnlib", text)), USAGE, *words)


@pytest.mark.parametrize("semantics", ["float32", "integer"])
def test_semantics_that_are_not_modelled_are_refused(files: Files, semantics: str) -> None:
    done = run(
        *("prove", files.network, files.holds, "--proof", files.folder / "p"),
        *("--semantics", semantics, "--format=json"),
    )

    expect_failure(done, REFUSED, semantics, "real arithmetic")


PRUNE = ("--method", "magnitude_pruning")
WRONG_WORDS = {
    "no command": [],
    "unknown command": ["frobnicate"],
    "unknown option": ["prove", "NETWORK", "HOLDS", "--proof", "p", "--fast"],
    "abbreviated option": ["prove", "NETWORK", "HOLDS", "--proof", "p", "--time", "3"],
    "missing option": ["reverify", "NETWORK", "HOLDS"],
    "missing file": ["prove", "nothing.onnx", "HOLDS", "--proof", "p"],
    "folder as file": ["prove", "FOLDER", "HOLDS", "--proof", "p"],
    "no process": ["prove", "NETWORK", "HOLDS", "--proof", "p", "--processes", "0"],
    "half a process": ["prove", "NETWORK", "HOLDS", "--proof", "p", "--processes", "1.5"],
    "no time": ["prove", "NETWORK", "HOLDS", "--proof", "p", "--timeout", "0"],
    "time that is no number": ["prove", "NETWORK", "HOLDS", "--proof", "p", "--timeout", "nan"],
    "endless time": ["prove", "NETWORK", "HOLDS", "--proof", "p", "--timeout", "inf"],
    "no folder to write to": ["prove", "NETWORK", "HOLDS", "--proof", "FOLDER/no/p"],
    "output over an input": ["prove", "NETWORK", "HOLDS", "--proof", "HOLDS"],
    "one file for two": [
        "prove",
        "NETWORK",
        "HOLDS",
        *("--proof", "FOLDER/p"),
        *("--certificate", "FOLDER/p"),
    ],
    "proof that is missing": ["reverify", "NETWORK", "HOLDS", "--proof", "FOLDER/none"],
    "unknown method": ["compress", "NETWORK", "--method", "magic", "--out", "FOLDER/o"],
    "unknown method option": [
        "compress",
        "NETWORK",
        *PRUNE,
        *("--option", "depth=3"),
        *("--out", "FOLDER/o"),
    ],
    "no method": ["compress", "NETWORK", "--out", "FOLDER/o"],
    "no network": ["compress", "--method", "magnitude_pruning", "--out", "FOLDER/o"],
    "list and more": ["compress", "NETWORK", "--list"],
    "certificate without command": ["certificate"],
}


@pytest.mark.parametrize("name", WRONG_WORDS)
def test_wrong_usage_is_said_and_changes_no_file(files: Files, name: str) -> None:
    places = {
        "NETWORK": str(files.network),
        "HOLDS": str(files.holds),
        "FOLDER": str(files.folder),
    }
    words = WRONG_WORDS[name]
    for word, place in places.items():
        words = [text.replace(word, place) for text in words]
    before = {path: path.read_bytes() for path in files.folder.iterdir() if path.is_file()}

    expect_failure(run(*words, "--format", "json"), USAGE)
    assert run(*words).printed == ""
    assert {path: path.read_bytes() for path in before} == before


def reverify(proven: Proven, *words: object, **changed: Path) -> Outcome:
    files = proven.files
    chosen = {"proof": proven.proof, "property": files.holds, **changed}
    return run(
        *("reverify", files.network, chosen["property"], "--proof", chosen["proof"]),
        *("--format", "json", *words),
    )


def test_a_proof_of_another_property_is_wrong_usage(proven: Proven) -> None:
    done = reverify(proven, property=proven.files.violated)

    expect_failure(done, USAGE, "the proof is of property")


def test_a_proof_of_another_network_is_wrong_usage(proven: Proven) -> None:
    done = reverify(proven, "--original", proven.variant)

    expect_failure(done, USAGE, "the proof is of network")


@pytest.mark.slow
def test_a_damaged_proof_is_refused_wherever_it_is_damaged(proven: Proven, tmp_path: Path) -> None:
    content = proven.proof.read_bytes()
    damaged = tmp_path / "damaged.proof"
    places = {*range(13), *range(13, len(content), len(content) // 40), len(content) - 1}
    refused = 0

    for place in sorted(places):
        for bit in (0, 3, 7):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            # Some bits of a gzip file say when it was made, pad it, or belong to codes that nothing
            # uses; which ones depends on the content.
            if unpacked(bytes(changed)) == unpacked(content):
                continue
            damaged.write_bytes(changed)
            expect_failure(reverify(proven, proof=damaged), REFUSED, "damaged.proof")
            refused += 1
    assert refused > 100


def unpacked(content: bytes) -> bytes | None:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return None


def test_a_shortened_proof_is_refused(proven: Proven, tmp_path: Path) -> None:
    content = proven.proof.read_bytes()
    damaged = tmp_path / "damaged.proof"

    for size in range(0, len(content), max(len(content) // 20, 1)):
        damaged.write_bytes(content[:size])
        expect_failure(reverify(proven, proof=damaged), REFUSED, "damaged.proof")


def test_a_proof_whose_content_was_edited_is_refused(proven: Proven, tmp_path: Path) -> None:
    content = gzip.decompress(proven.proof.read_bytes())
    edited = tmp_path / "edited.proof"
    edited.write_bytes(
        gzip.compress(content.replace(b'"verdict":"holds"', b'"verdict":"violated"'))
    )

    expect_failure(reverify(proven, proof=edited), REFUSED, "checksum")


def map_text(kept: list[list[int]], removed: list[list[object]]) -> str:
    document = {"format": "mucg4-neuron-map/1", "kept": kept, "removed": removed}
    return json.dumps(document | {"source": "given", "confidence": 1.0})


BAD_MAPS = {
    "no JSON": ("{", REFUSED),
    "another file": ('{"format": "something else"}', REFUSED),
    "no list": ('{"format": "mucg4-neuron-map/1", "kept": 3}', REFUSED),
    "two onto one": (map_text([[0, 0, 0, 0], [0, 1, 0, 0]], []), REFUSED),
    "neuron that does not exist": (map_text([[0, 0, 0, 800]], []), USAGE),
    "removed neuron that does not exist": (map_text([], [[7, 0, "1"]]), USAGE),
}


@pytest.mark.parametrize("name", BAD_MAPS)
def test_a_damaged_neuron_map_gives_no_verdict(proven: Proven, tmp_path: Path, name: str) -> None:
    text, status = BAD_MAPS[name]
    path = tmp_path / "map.json"
    path.write_text(text, encoding="utf-8")

    expect_failure(reverify(proven, "--neuron-map", path), status, "map")


def test_a_wrong_map_costs_time_and_not_soundness(proven: Proven, tmp_path: Path) -> None:
    swapped = [[layer, i, layer, (i + 1) % 8] for layer in range(2) for i in range(8)]
    path = tmp_path / "map.json"
    path.write_text(map_text(swapped, []), encoding="utf-8")

    done = reverify(proven, "--neuron-map", path, "--certificate", tmp_path / "c")
    checked = run(
        *("certificate", "check", tmp_path / "c", "--network", proven.files.network),
        *("--property", proven.files.holds),
    )

    assert done.document["verdict"] == "holds"
    assert checked.status == 0


def test_a_damaged_certificate_is_refused_or_rejected(proven: Proven, tmp_path: Path) -> None:
    content = proven.certificate.read_bytes()
    damaged = tmp_path / "c"

    for size in (0, 1, len(content) // 2, len(content) - 1):
        damaged.write_bytes(content[:size])
        done = run(
            *("certificate", "check", damaged, "--network", proven.files.network),
            *("--property", proven.files.holds, "--format", "json"),
        )
        expect_failure(done, REFUSED, str(damaged))


def test_a_bug_is_an_internal_error_with_a_traceback(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        message = "seven is not eight"
        raise AssertionError(message)

    monkeypatch.setattr(prove_command, "check_inputs", broken)

    done = prove(files)

    expect_failure(done, INTERNAL, "AssertionError", "seven is not eight", "this is a bug")
    assert "Traceback" in done.errors


def test_an_interrupt_has_its_own_status(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(prove_command, "check_inputs", interrupted)

    expect_failure(prove(files), INTERRUPTED, "interrupted")


def test_a_reader_that_misreads_is_caught_by_onnxruntime(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = read_onnx(network_bytes(seed=4))
    monkeypatch.setattr("verifier.ir.onnx_reader.read_onnx", lambda _: other)

    expect_failure(prove(files), REFUSED, "network.onnx", "onnxruntime differ")


def test_a_full_disk_leaves_the_old_proof_whole(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object, path: Path) -> None:
        path.write_bytes(b"half of a pro")
        raise OSError(28, "No space left on device")

    proof = files.folder / "out.proof"
    proof.write_bytes(b"the old one")
    monkeypatch.setattr("verifier.proof.store.write_proof", full)

    expect_failure(prove(files), USAGE, "No space left")
    assert proof.read_bytes() == b"the old one"
    assert sorted(path.name for path in files.folder.iterdir()) == sorted(
        ["network.onnx", "holds.vnnlib", "violated.vnnlib", "out.proof"]
    )


def test_a_link_to_an_input_is_not_written_over(files: Files) -> None:
    link = files.folder / "link"
    link.symlink_to(files.network)
    copy = files.folder / "hard"
    copy.hardlink_to(files.network)

    for target in (link, copy):
        done = run("prove", files.network, files.holds, "--proof", target, "--format", "json")
        expect_failure(done, USAGE, "overwritten")


def test_compressing_into_the_folder_of_the_network_keeps_it(files: Files) -> None:
    folder = files.folder / "own"
    folder.mkdir()
    shutil.copy(files.network, folder / "model.onnx")

    done = run(
        *("compress", folder / "model.onnx", "--method", "magnitude_pruning"),
        *("--out", folder, "--format", "json"),
    )

    expect_failure(done, USAGE, "overwritten")
    assert (folder / "model.onnx").read_bytes() == files.network.read_bytes()
