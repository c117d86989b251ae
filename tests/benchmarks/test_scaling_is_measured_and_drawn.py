# SPDX-License-Identifier: Apache-2.0
"""Points of the scaling study say what they are of; table and figure have them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import scaling, scaling_studies
from benchmarks.scaling import main, report
from benchmarks.scaling_studies import Point, digit_points, eight_bit_and_pruned
from tests.proof.small_proofs import ON_INPUTS, proofs

if TYPE_CHECKING:
    from pathlib import Path

HOLD = (("holds", "holds"),)


def made_up() -> list[Point]:
    return [
        Point("width", "8-8", 0, 16, 3, 1.0, 0.5, 0.25, HOLD),
        Point("width", "8-8", 1, 16, 5, 3.0, 1.5, 0.75, HOLD),
        Point("width", "16-16", 0, 32, 9, 4.0, 2.0, 1.0, HOLD),
        Point("width", "16-16", 1, 32, 0, 120.0, 0.0, 0.0, ()),
        Point("width", "32-32", 1, 64, 0, 120.0, 0.0, 0.0, ()),
        Point("depth", "64", 0, 64, 9, 4.0, 2.0, 1.0, HOLD),
        Point("cores", "1_1", 3, 39, 39, 4.0, 2.0, 1.0, HOLD),
        Point("variants", "1_7", 2, 1, 153, 1.0, 1.0, 0.5, HOLD),
        Point("variants", "1_7", 2, 2, 153, 1.0, 2.0, 1.0, (*HOLD, ("violated",) * 2)),
    ]


def test_the_table_has_medians_and_the_figure_is_drawn(tmp_path: Path) -> None:
    text = report(made_up(), tmp_path)

    assert "| width | 8-8 | 0, 1 | 16 | 4 | 2.00 | 1.00 | 0.50 | 2.0 | 2 holds |" in text
    assert "| width | 16-16 | 0, 1 | 32 | 9 | 4.00 | 2.00 | 1.00 | 2.0 | 1 holds, 1 no" in text
    assert "| width | 32-32 | 1 | 64 | - | - | - | - | - | no proof |" in text
    assert "| cores | 1_1 | 3 | 39 | 39 | 4.00 | 2.00 | 1.00 | 2.0 | 1 holds |" in text
    assert "| variants | 1_7 | 2 | 2 | 153 | 1.00 | 2.00 | 1.00 | 2.0 | 1 holds, 1 viol" in text
    assert (tmp_path / "scaling.png").stat().st_size > 10_000


@pytest.mark.parametrize(("verdicts", "status"), [(HOLD, 0), ((("holds", "violated"),), 1)])
def test_a_contradiction_makes_the_command_fail(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verdicts: tuple[tuple[str, str], ...],
    status: int,
) -> None:
    points = [*made_up(), Point("cores", "x", 5, 7, 7, 1.0, 1.0, 1.0, verdicts)]
    monkeypatch.setattr(scaling, "points", lambda _: iter(points))
    page, out = tmp_path / "page.md", tmp_path / "scaling.jsonl"
    page.write_text("a\n<!-- scaling -->\nstale\n<!-- end of scaling -->\nb\n", encoding="utf-8")

    found = main(["--out", str(out), "--page", str(page), "--data", str(tmp_path)])

    assert found == status
    assert len(out.read_text(encoding="utf-8").splitlines()) == len(points)
    text = page.read_text(encoding="utf-8")
    assert "stale" not in text
    assert "| cores | x | 5 | 7 |" in text
    assert (tmp_path / "images" / "scaling.png").exists()


def test_the_variants_of_one_network_are_all_different() -> None:
    graph = proofs(1, ON_INPUTS)[0].graph

    variants = eight_bit_and_pruned(graph)

    assert len(variants) == 32
    assert {v.graph.layer_widths for v in variants} == {graph.layer_widths}


@pytest.mark.slow
def test_digit_networks_of_any_size_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling_studies, "LABELS", (0, 1))
    found = list(digit_points("width", {24: (12, 12)}))

    assert {point.size for point in found} == {24}
    assert [(point.network, point.prop) for point in found] == [("12-12", n) for n in (0, 1)]
    for point in found:
        assert point.cores >= 1
        assert min(point.original, point.scratch, point.reuse) > 0.0
        assert not point.is_wrong
