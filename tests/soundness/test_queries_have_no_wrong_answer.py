# SPDX-License-Identifier: Apache-2.0
"""What is answered to random queries agrees with their text and with ONNX at every point tried."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from tests.soundness.random_queries import RandomQuery
from tests.spec.text_oracle import assertions, holds
from verifier.cli.assignment import Assignment
from verifier.options import EngineOptions
from verifier.pipeline import prove
from verifier.query_networks import QueryNetworks
from verifier.spec.vnnlib_reader import parse_query
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from tests.soundness.random_queries import Point
    from verifier.pipeline import Result

CASES = 64
OPTIONS = EngineOptions(timeout_seconds=20, minimize=False)


def satisfies(text: str, point: Point) -> bool:
    return all(holds(tree, point) for tree in assertions(text))


def answered(asked: RandomQuery, folder: Path) -> tuple[QueryNetworks, Result]:
    files = {}
    for network in asked.networks:
        if network.equal_to is None:
            files[f"f{network.number}"] = folder / f"f{network.number}.onnx"
            files[f"f{network.number}"].write_bytes(network.model.content())
    networks = QueryNetworks.read(parse_query(asked.text), files)
    networks.check()
    return networks, prove(networks.graph, networks.query.property, OPTIONS)


def printed(networks: QueryNetworks, result: Result) -> tuple[Point, bool]:
    """Return the assignment as it is printed, and whether it is said to be confirmed."""
    assert result.counterexample is not None
    found, problem = networks.replayed(result.counterexample)
    assert not problem
    assignment = Assignment.of(networks.query, found)
    lines = iter(assignment.text().splitlines())
    point = {}
    for network in networks.query.networks:
        for tensor in network.tensors:
            name = next(lines).split(" ")[0]
            for entry in map(tensor.entry, range(tensor.width)):
                assert entry.startswith(name)
                point[entry] = Fraction(next(lines))
    return point, assignment.is_confirmed


@pytest.mark.slow
def test_no_answer_contradicts_a_point(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()

    for seed in range(CASES):
        asked = RandomQuery.of(seed)
        networks, result = answered(asked, tmp_path)
        is_satisfied = any(satisfies(asked.text, point) for point in asked.points)
        counts += Counter({str(result.verdict): 1, "satisfied": is_satisfied})
        assert result.verdict is not Verdict.HOLDS or not is_satisfied, f"seed {seed}"
        if result.verdict is Verdict.VIOLATED:
            point, is_confirmed = printed(networks, result)
            exact = asked.values(point)
            assert not is_confirmed or satisfies(asked.text, exact), f"seed {seed}"
            assert all(abs(point[e] - exact[e]) < 1e-4 for e in exact), f"seed {seed}"
            counts["confirmed"] += is_confirmed

    # The cases are worth something.
    assert min(counts["holds"], counts["satisfied"], counts["confirmed"]) >= CASES // 4
