# SPDX-License-Identifier: Apache-2.0
"""``verify`` and ``supports``: answers on standard output, everything else beside it."""

from __future__ import annotations

import gzip
import json
import re
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from tests.cli.running import HOLDS_FROM, INPUTS, OUTPUTS, VIOLATED_UP_TO, network_bytes, run
from verifier.cli.main import main
from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.onnx_lowering import LOWERINGS
from verifier.ir.onnx_model import FIRST_OPSET, LAST_OPSET
from verifier.ir.onnx_reader import read_onnx
from verifier.network_file import Network

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.running import Files
    from verifier.spec.property import InputBox

BOX = "".join(f"(assert (and (>= X[0,{i}] -1.0) (<= X[0,{i}] 1.0)))\n" for i in range(INPUTS))
ENTRY = re.compile(r"\((\w+) ([^()\s]+)\)")


def query_text(condition: str, hidden: str = "") -> str:
    """Return a query of one network over the box [-1, 1]."""
    return f"""(vnnlib-version <2.0>)
    (declare-network f (declare-input X Real [1,{INPUTS}]) {hidden}
        (declare-output Y Real [{OUTPUTS}]))
    {BOX}(assert {condition})\n"""


def pair_text(condition: str, relation: str = "isomorphic-to") -> str:
    """Return a query of two networks that see the same input."""
    same = "".join(f"(assert (== X[0,{i}] V[{i}]))\n" for i in range(INPUTS))
    return f"""(vnnlib-version <2.0>)
    (declare-network f (declare-input X Real [1,{INPUTS}]) (declare-output Y Real [{OUTPUTS}]))
    (declare-network g ({relation} f)
        (declare-input V Real [1,{INPUTS}]) (declare-output W Real [{OUTPUTS}]))
    {BOX}{same.replace("V[", "V[0,")}(assert {condition})\n"""


def assignment(printed: str) -> dict[str, float]:
    """Return the entries of the variables that stand after ``sat``."""
    word, *lines = printed.splitlines()
    assert word == "sat"
    values: dict[str, float] = {}
    while lines:
        name, element_type, shape = lines.pop(0).split(" ")
        assert element_type == "real"
        for index in np.ndindex(*json.loads(shape)):
            entry = f"{name}[{','.join(map(str, index))}]" if index else name
            values[entry] = float(lines.pop(0))
    return values


def test_a_query_that_nothing_satisfies_is_unsat(files: Files) -> None:
    query = files.path("q.vnnlib", query_text(f"(>= Y[0] {HOLDS_FROM})"))

    done = run("verify", query, "--network", f"f={files.network}")

    assert (done.status, done.printed) == (0, "unsat\n")


def test_an_assignment_satisfies_the_query_exactly_and_in_floats(files: Files) -> None:
    query = files.path("q.vnnlib", query_text(f"(>= Y[0] {VIOLATED_UP_TO})"))

    done = run("verify", query, "--network", f"f={files.network}")

    values = assignment(done.printed)
    x = [values[f"X[0,{i}]"] for i in range(INPUTS)]
    exact = evaluate_exactly(read_onnx(files.network), [Fraction(value) for value in x])
    session = onnxruntime.InferenceSession(files.network.read_bytes())
    point = np.array([x], dtype=np.float32)
    assert np.array_equal(point.astype(np.float64), [x])
    floats = np.ravel(session.run(None, {session.get_inputs()[0].name: point})[0])
    assert exact[0] >= Fraction(VIOLATED_UP_TO)
    assert floats[0] >= VIOLATED_UP_TO
    assert [values[f"Y[{j}]"] for j in range(OUTPUTS)] == pytest.approx(list(floats))
    assert all(-1 <= value <= 1 for value in x)


def test_assignments_are_written_as_tensors_of_their_shape(files: Files) -> None:
    query = files.path("q.vnnlib", query_text(f"(>= Y[0] {VIOLATED_UP_TO})"))

    done = run(
        "verify", query, "--network", f"f={files.network}", "--serialise-assignments", files.folder
    )

    again = run("verify", query, "--network", f"f={files.network}")
    values = assignment(again.printed)
    assert done.printed == "sat\n"
    x, y = (
        numpy_helper.to_array(onnx.TensorProto.FromString((files.folder / name).read_bytes()))
        for name in ("X.pb", "Y.pb")
    )
    assert (x.shape, y.shape, x.dtype.name) == ((1, INPUTS), (OUTPUTS,), "float32")
    assert x[0, 1] == values["X[0,1]"]
    assert y[1] == pytest.approx(values["Y[1]"])


def test_a_limit_that_is_spent_is_timed_out(files: Files) -> None:
    query = files.path("q.vnnlib", query_text(f"(>= Y[0] {HOLDS_FROM})"))

    done = run("verify", query, "--network", f"f={files.network}", "--timeout", "0.000001")

    assert (done.status, done.printed) == (0, "timed-out\n")
    assert "time limit reached" in done.errors


def test_the_object_has_the_answer_and_the_verdict(files: Files) -> None:
    query = files.path("q.vnnlib", query_text(f"(>= Y[0] {HOLDS_FROM})"))

    found = run("verify", query, "--network", f"f={files.network}", "--format", "json").document

    assert (found["answer"], found["verdict"], found["counterexample"]) == ("unsat", "holds", None)


def test_two_networks_are_compared_on_one_input(files: Files) -> None:
    other = files.folder / "other.onnx.gz"
    other.write_bytes(gzip.compress(network_bytes(seed=4)))
    networks = ("--network", f"f={files.network}", "--network", f"g={other}")
    far, near = (
        files.path(f"{bound}.vnnlib", pair_text(f"(>= (- Y[0] W[0]) {bound})"))
        for bound in ("100.0", "-100.0")
    )

    assert run("verify", far, *networks).printed == "unsat\n"
    values = assignment(run("verify", near, *networks).printed)
    x = [Fraction(values[f"X[0,{i}]"]) for i in range(INPUTS)]
    assert x == [Fraction(values[f"V[0,{i}]"]) for i in range(INPUTS)]
    for name, content in (("Y", files.network.read_bytes()), ("W", network_bytes(seed=4))):
        exact = evaluate_exactly(read_onnx(content), x)
        assert [values[f"{name}[{j}]"] for j in range(OUTPUTS)] == pytest.approx(
            [float(value) for value in exact], abs=1e-5
        )


def test_each_network_is_compared_with_what_onnxruntime_computes_at_its_inputs(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = files.folder / "other.onnx"
    other.write_bytes(network_bytes(seed=4))
    compared = []

    def note(network: Network, box: InputBox) -> None:
        compared.append((network.path, [int(value) for value in (*box.lower, *box.upper)]))

    monkeypatch.setattr(Network, "check_within", note)
    text = pair_text("(>= Y[0] 100.0)").replace(
        "(== X[0,1] V[0,1])", "(and (>= V[0,1] 3.0) (<= V[0,1] 4.0))"
    )

    run(
        *("verify", files.path("q.vnnlib", text)),
        *("--network", f"f={files.network}", "--network", f"g={other}"),
    )

    assert compared == [(files.network, [-1, -1, -1, 1, 1, 1]), (other, [-1, 3, -1, 1, 4, 1])]


@pytest.mark.slow
def test_an_equal_network_needs_no_file_of_its_own(files: Files) -> None:
    query = files.path("q.vnnlib", pair_text("(> Y[0] W[0])", "equal-to"))

    done = run("verify", query, "--network", f"f={files.network}", "--timeout", "60")

    assert done.printed == "unsat\n"


@pytest.mark.slow
def test_a_query_may_speak_of_a_hidden_node(files: Files) -> None:
    model = onnx.load_from_string(files.network.read_bytes())
    name = next(node.output[0] for node in model.graph.node if node.op_type == "Relu")
    hidden = f'(declare-hidden H Real [8] "{name}")'
    networks = ("--network", f"f={files.network}")
    negative = files.path("n.vnnlib", query_text("(< H[2] 0.0)", hidden))
    positive = files.path("p.vnnlib", query_text("(and (> H[2] 0.0) (<= Y[0] 100.0))", hidden))

    assert run("verify", negative, *networks).printed == "unsat\n"
    assert assignment(run("verify", positive, *networks).printed)["H[2]"] > 0


def test_an_equal_network_has_hidden_nodes_of_the_same_size(files: Files) -> None:
    model = onnx.load_from_string(files.network.read_bytes())
    first, second, *_ = (node.output[0] for node in model.graph.node if node.op_type == "Relu")
    text = pair_text("(< W[0] K[0])", "equal-to")

    def hidden(tensor: str, width: int, name: str) -> str:
        return f'(declare-hidden {tensor} Real [{width}] "{name}") '

    # All entries together are as many as there are: only the tensors differ.
    ours = hidden("H", 8, first) + hidden("I", 8, second)
    theirs = hidden("J", 7, first) + hidden("K", 9, second)
    for output, tensors in (("(declare-output Y", ours), ("(declare-output W", theirs)):
        text = text.replace(output, f"{tensors}{output}")

    done = run("verify", files.path("q.vnnlib", text), "--network", f"f={files.network}")

    assert (done.status, done.printed) == (3, "")
    assert "query variable J" in done.errors


def test_properties_of_version_1_are_answered_in_their_names(files: Files) -> None:
    network = ("--network", f"any={files.network}")

    assert run("verify", files.holds, *network).printed == "unsat\n"
    word, rest = run("verify", files.violated, *network).printed.split("\n", 1)
    assert word == "sat"
    assert re.fullmatch(r"\((\([^()]+\)\s*)+\)\n", rest)
    names = ["X_0", "X_1", "X_2", "Y_0", "Y_1"]
    assert [name for name, value in ENTRY.findall(rest) if float(value) < 100] == names


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("--network", "f"), 2, "'f' is not NAME=FILE"),
        (("--network", "g={network}"), 2, "give --network f=FILE"),
        (("--network", "f={network}", "--network", "f={network}"), 2, "one network twice"),
        (("--network", "f=none.onnx"), 2, "there is no such file"),
        (("--network", "f={network}", "--serialise-assignments", "none"), 2, "no such folder"),
        ((), 2, "required: --network"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(
    words: tuple[str, ...], status: int, message: str, files: Files
) -> None:
    query = files.path("q.vnnlib", query_text("(<= Y[0] 0.0)"))

    done = run("verify", query, *(word.format(network=files.network) for word in words))

    assert (done.status, done.printed) == (status, "")
    assert message in done.errors


def test_networks_that_are_not_what_the_query_says_are_refused(files: Files) -> None:
    other, wide = files.folder / "other.onnx", files.folder / "wide.onnx"
    other.write_bytes(network_bytes(seed=4))
    wide.write_bytes(network_bytes(inputs=INPUTS + 1))
    equal = files.path("e.vnnlib", pair_text("(> Y[0] W[0])", "equal-to"))
    isomorphic = files.path("i.vnnlib", pair_text("(> Y[0] W[0])"))
    single = files.path("s.vnnlib", query_text("(<= Y[0] 0.0)"))
    first = ("--network", f"f={files.network}")

    for words, message in (
        (
            (equal, *first, "--network", f"g={files.network}"),
            "declared equal to f, it takes no file",
        ),
        ((isomorphic, *first, "--network", f"g={wide}"), "g has not the structure of f"),
        ((isomorphic, *first), "network g has no file"),
        ((single, "--network", f"f={wide}"), "declares 3 inputs, the network has 4"),
    ):
        done = run("verify", *words)
        assert (done.status, done.printed) == (2, "")
        assert message in done.errors


def test_what_is_not_modelled_is_refused_at_its_place(files: Files) -> None:
    for text, message in (
        (query_text("(<= (* Y[0] Y[1]) 0.0)"), ":7:13: a product of two terms"),
        (query_text("(<= Y[0] 0.0)").replace("Real [2]", "float32 [2]"), "is of type float32"),
        (query_text("(<= Y[0] 0.0)", '(declare-hidden H Real [1] "no")'), "H is the value 'no'"),
    ):
        done = run("verify", files.path("q.vnnlib", text), "--network", f"f={files.network}")

        assert (done.status, done.printed) == (3, "")
        assert message in done.errors


@pytest.mark.parametrize(
    ("capability", "lines"),
    [
        ("onnx-opset-versions", [str(FIRST_OPSET), str(LAST_OPSET)]),
        ("onnx-element-types", ["real"]),
        ("vnnlib-versions", ["1.0", "2.0"]),
        ("hidden-node-theories", ["NH", "H"]),
        ("multiple-input-output-theories", ["SIO", "MIO"]),
        ("multiple-network-theories", ["SNET", "MENET", "MINET", "MNET"]),
        ("multiple-node-comparison-theories", ["SNC", "MNC"]),
        ("arithmetic-complexity-theories", ["BND", "OUTC", "LIN"]),
        ("optimised-disjunctive-reasoning", ["false"]),
        ("serialise-assignments", ["true"]),
    ],
)
def test_a_capability_is_told_in_the_words_of_the_standard(
    capability: str, lines: list[str]
) -> None:
    assert run("supports", f"--{capability}").printed.splitlines() == lines


def test_operators_are_those_that_are_read() -> None:
    operators = run("supports", "--onnx-operators").printed.splitlines()

    assert operators == sorted(LOWERINGS)
    assert {"Gemm", "MatMul", "Relu"} < set(operators)


def test_capabilities_are_told_all_together_and_unknown_ones_not() -> None:
    assert len(run("supports").printed.splitlines()) == 11
    assert run("supports", "--magic").status == 2


def test_the_solver_says_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--name"]) == 0
    assert capsys.readouterr().out == "mucg4\n"


@pytest.mark.slow
def test_published_pairs_of_networks_are_answered(data: Path) -> None:
    folder = data / "acasxu_compressed"
    query = folder / "vnnlib2" / "f16_diff_3_7_prop3_eps4.4e-05.vnnlib"
    networks = (
        f"f={folder / 'onnx/fp32/ACASXU_run2a_3_7_batch_2000.onnx'}",
        f"g={folder / 'onnx/float16_weights/ACASXU_run2a_3_7_batch_2000_16bit.onnx'}",
    )

    done = run("verify", query, *(word for n in networks for word in ("--network", n)))

    values = assignment(done.printed)
    assert abs(values["Y_g[0]"] - values["Y_f[0]"]) >= 4.4e-5
