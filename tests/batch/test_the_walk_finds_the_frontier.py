# SPDX-License-Identifier: Apache-2.0
"""The walk over two axes ends at the frontier, and tells nothing that was not proved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.batch.at_once import AtOnce, Heard
from tests.cli.running import HOLDS_FROM, VIOLATED_UP_TO, network_bytes, property_text
from verifier.batch.frontier import Walk, find_frontiers, strongest
from verifier.batch.question import Step
from verifier.batch.run import Run
from verifier.batch.store import opened
from verifier.batch.zoo import Zoo

if TYPE_CHECKING:
    from pathlib import Path


def axis(name: str, length: int) -> tuple[Step, ...]:
    return tuple(Step(name, (f"level={level}",)) for level in range(1, length + 1))


def level(steps: tuple[Step, ...], name: str) -> int:
    return next((int(s.options[0].split("=")[1]) for s in steps if s.method == name), 0)


@given(st.integers(1, 6), st.integers(0, 6), st.data())
def test_every_corner_of_a_monotone_frontier_is_reached(
    first: int, second: int, data: st.DataObject
) -> None:
    # For each level of the first axis, the strongest of the second that holds; -1 for none.
    heights = data.draw(st.lists(st.integers(-1, second), min_size=first + 1, max_size=first + 1))
    heights.sort(reverse=True)
    axes = [axis("a", first), *([axis("b", second)] if second else [])]
    walk, tried, held = Walk(axes), 0, set()

    while (steps := walk.steps) is not None:
        place = level(steps, "a"), level(steps, "b")
        holds = place[1] <= heights[place[0]]
        held |= {place} if holds else set()
        tried += 1
        walk.go_on(holds=holds)

    corners = {
        (a, height)
        for a, height in enumerate(heights)
        if height >= 0 and (a == first or heights[a + 1] < height)
    }
    assert corners <= held
    assert tried <= first + second + 1


def zoo(folder: Path, bounds: list[float]) -> Zoo:
    (folder / "n.onnx").write_bytes(network_bytes())
    names = []
    for number, bound in enumerate(bounds):
        names.append(f"p{number}.vnnlib")
        text = property_text(f"(>= Y_0 {bound})")
        (folder / names[-1]).write_text(text, encoding="utf-8")
    pruned = tuple(Step("magnitude_pruning", (f"sparsity={s}",)) for s in ("0.1", "0.4"))
    rounded = tuple(Step("integer_quantisation", (f"bits={bits}",)) for bits in (8, 4, 2))
    return Zoo(folder, ("n.onnx",), tuple(names), (), 60.0, (pruned, rounded))


@pytest.mark.slow
def test_what_is_told_is_what_was_proved_and_sizes_shrink(tmp_path: Path) -> None:
    pool = AtOnce()
    with opened(tmp_path / "work") as store:
        run = Run(pool, store, Heard())
        (tried,) = find_frontiers(zoo(tmp_path, [HOLDS_FROM, HOLDS_FROM + 1]), run).values()

    best = strongest(tried)
    assert best is not None
    assert all(result.verdict == "holds" for result in best.results)
    assert len(best.results) == 2
    assert 0 < best.size < 0.5
    assert best.size == min(each.size for each in tried if each.holds)
    # Reuse on the way: what has two steps was verified by the proof of what has one.
    assert sum("base.proof" in task.files for task in pool.tasks) >= 2
    questions = [job for job in run.jobs if job.question is not None]
    assert len({job.name for job in questions}) == len(questions)


@pytest.mark.slow
def test_an_original_that_fails_has_no_frontier(tmp_path: Path) -> None:
    with opened(tmp_path / "work") as store:
        run = Run(AtOnce(), store, Heard())
        (tried,) = find_frontiers(zoo(tmp_path, [VIOLATED_UP_TO - 1]), run).values()

    assert strongest(tried) is None
    assert tried[-1].subject.steps == ()
    assert tried[-1].size == 1.0
    assert all(each.results[0].verdict == "violated" for each in tried)
