# SPDX-License-Identifier: Apache-2.0
"""Every field of a certificate, broken in every way: the reason says where."""

from __future__ import annotations

from typing import Any

import pytest

from tests.certificate.tiny import check, edited, half, network, split_on_a_phase, without
from verifier.certificate.checker import check_certificate
from verifier.verdict import Verdict

DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]

# Path in the certificate of `split_on_a_phase`, what stands there instead, what the reason names.
BREACHES: list[tuple[str, Any, str]] = [
    ("format", "mucg4-certificate/2", "format"),
    ("semantics", "float32", "semantics"),
    ("verdict", "unknown", "verdict"),
    ("verdict", ["holds"], "verdict"),
    ("network", "0" * 64, "network"),
    ("network", None, "network"),
    ("property", "0" * 64, "property"),
    ("isolation", "x" * 201, "isolation"),
    ("isolation", None, "isolation"),
    ("isolation", DEEP, "isolation"),
    ("atoms", {}, "atoms"),
    ("atoms", [["case", 0], ["phase", 0, 0], ["phase", 0, 0]], "atom 2 repeats atom 1"),
    (
        "atoms",
        [["case", 0], ["phase", 0, 0], ["at_most", 0, "1/2"], ["at_most", 0, 0.5]],
        "atom 3 repeats atom 2",
    ),
    ("atoms.0", ["case", 1], "atom 0"),
    ("atoms.0", ["case", False], "atom 0"),
    ("atoms.0", ["case", -1], "atom 0"),
    ("atoms.0", ["case"], "atom 0"),
    ("atoms.0", ["phase", 0, 1], "case 0"),
    ("atoms.1", ["phase", 0, 2], "atom 1"),
    ("atoms.1", ["phase", 1, 0], "atom 1"),
    ("atoms.1", ["phase", 0, -1], "atom 1"),
    ("atoms.1", ["phase", 0, 0.0], "atom 1"),
    ("atoms.1", ["at_most", 1, 0.0], "atom 1"),
    ("atoms.1", ["at_most", 0, float("inf")], "atom 1"),
    ("atoms.1", ["at_most", 0, "1/0"], "atom 1"),
    ("atoms.1", ["at_most", 0, "9" * 3000], "atom 1"),
    ("atoms.1", ["at_most", 0, 1 << 5000], "atom 1"),
    ("atoms.1", ["at_most", 0, "\u0663"], "atom 1"),
    ("atoms.1", ["at_most", 0, "1\n"], "atom 1"),
    ("atoms.1", [["phase"], 0, 0], "atom 1"),
    ("atoms.1", DEEP, "atom 1"),
    ("regions.0", DEEP, "region 0"),
    ("regions.0.case", 1, "region 0"),
    ("regions.0.case", True, "region 0"),
    ("regions.0.parent", 0, "region 0"),
    ("regions.0.slopes", [], "region 0, slopes"),
    ("regions.0.slopes.0", [[0], [0.5, 0.5]], "region 0, slopes, layer 0"),
    ("regions.0.slopes.0", [[0, 0], [0.5, 0.5]], "twice"),
    ("regions.0.slopes.0", [[0, 2], [0.5, 0.5]], "region 0, slopes, layer 0"),
    ("regions.0.slopes.0.1.0", 1.0000001, "from 0 to 1"),
    ("regions.0.slopes.0.1.0", -1e-300, "from 0 to 1"),
    ("regions.0.slopes.0.1.0", float("nan"), "finite"),
    ("regions.0.alpha", [[], []], "region 0, alpha"),
    ("regions.0.alpha.0", [2], "region 0, alpha, layer 0"),
    ("regions.0.extra", 1, "region 0"),
    ("regions.0.kept", True, "region 0"),
    ("regions.0.tightened", [], "region 0, tightened"),
    ("regions.0.tightened", [[[], [], []]], "region 0, tightened, layer 0"),
    ("regions.0.tightened", [[[2], [], [[]], [[]]]], "region 0, tightened, layer 0"),
    ("regions.0.tightened", [[[0], [], [], [[]]]], "region 0, tightened, layer 0"),
    ("regions.0.tightened", [[[0], [[0, 1]], [[1]], [[]]]], "region 0, tightened, layer 0"),
    ("regions.0.tightened", [[[0], [[0, 1]], [[1]], [[1.5]]]], "from 0 to 1"),
    ("regions.0.tightened", [[[0], [[0, 2]], [[1]], [[1]]]], "region 0, tightened, layer 0"),
    ("regions.0.tightened", [[[0], [[0, 1], [0, 1]], [[1, 1]], [[1, 1]]]], "twice"),
    ("regions.0.tightened", [[[0, 0], [], [[], []], [[], []]]], "twice"),
    ("regions.1.kept", False, "region 1, kept"),
    ("regions.1.kept", 1, "region 1, kept"),
    ("regions.1.tightened", [], "region 1"),
    ("regions.1.alpha.0", [1, 1], "twice"),
    ("regions.1.parent", 1, "region 1, parent"),
    ("regions.1.parent", 2, "region 1, parent"),
    ("regions.1.parent", -1, "region 1, parent"),
    ("regions.1.parent", None, "region 1, parent"),
    ("regions.1.parent", False, "region 1, parent"),
    ("regions.1.literals.0", 0, "region 1, literals"),
    ("regions.1.literals.0", 3, "region 1, literals"),
    ("regions.1.literals.0", -3, "region 1, literals"),
    ("regions.1.literals.0", 1, "is a case"),
    ("regions.1.literals.0", 2.0, "region 1, literals"),
    ("regions.2.parent", 1, "region 2: its path has atom 1 already"),
    ("regions.2.literals.0", 2, "core 1"),
    ("regions.1.literals", 2, "region 1, literals"),
    ("regions.1.literals", [2, 2], "atom 1 already"),
    ("regions.1.literals", [2, -2], "atom 1 already"),
    ("regions.1.literals", [], "core 0"),
    ("cores.0", {"region": 1, "case": 0, "empty": True}, "core 0"),
    ("cores.0", {"region": 1, "case": 0, "empty": 1}, "core 0, empty"),
    ("cores.0", {"region": 1, "case": 0}, "core 0"),
    ("cores.0.region", 3, "core 0, region"),
    ("cores.0.region", -1, "core 0, region"),
    ("cores.0.region", 0, "core 0"),
    ("cores.0.case", 1, "core 0, case"),
    ("cores.0.rows", [], "core 0, rows"),
    ("cores.0.rows", [1, 0], "core 0, rows"),
    ("cores.0.rows", [-1], "core 0, row 0"),
    ("cores.0.rows", [0], "core 0"),
    ("cores.0.rows", [True], "core 0, row 0"),
    ("cores.0.rows", [float("inf")], "core 0, row 0"),
    ("cores.0.neurons", [[0, 1, 1]], "core 0, neuron 0"),
    ("cores.0.neurons", [[0, 1, 1.5, 0]], "core 0, neuron 0"),
    ("cores.0.neurons", [[0, 1, 1, -1]], "core 0, neuron 0"),
    ("cores.0.neurons", [[0, 1, 0, 0]], "core 0"),
    ("cores.0.neurons", [[0, 1, 1, 0], [0, 1, 1, 0]], "twice"),
    ("cores.0.masses", [[0, 1, 1]], "mass for neuron (0, 1)"),
    ("cores.0.masses", [[0, 0, -1]], "core 0, mass 0"),
    ("cores.0.masses", [[0, 0, 1], [0, 0, 1]], "twice"),
    ("cores.1.empty", True, "core 1"),
    ("clauses", [], "clauses"),
    ("clauses", [[1]], "clauses"),
    ("clauses", [[], [1]], "clauses"),
    ("clauses", [[-1, 2, 0], []], "clause 0"),
    ("clauses", [[-3], []], "clause 0"),
    ("clauses", [[True], []], "clause 0"),
    ("clauses", "[]", "clauses"),
]


@pytest.mark.parametrize(("path", "value", "named"), BREACHES, ids=range(len(BREACHES)))
def test_a_breach_is_rejected_with_its_place(path: str, value: Any, named: str) -> None:
    report = check(edited(split_on_a_phase(), path, value))

    assert not report.accepted
    assert report.verdict is Verdict.UNKNOWN
    assert named in report.reason


@pytest.mark.parametrize(
    "path",
    [*split_on_a_phase(), "cores.0", "cores.1", "regions.0", "regions.0.alpha", "cores.0.rows"],
)
def test_nothing_can_be_left_out(path: str) -> None:
    assert not check(without(split_on_a_phase(), path)).accepted


def test_what_is_said_of_isolation_proves_nothing_and_may_be_anything_short() -> None:
    report = check(edited(split_on_a_phase(), "isolation", "x" * 200))

    assert report.accepted, report.reason


@pytest.mark.parametrize("document", [None, [], "holds", 1.0, {}, {1: 2}])
def test_what_is_no_object_is_rejected(document: Any) -> None:
    assert not check_certificate(document, network(), half()).accepted
