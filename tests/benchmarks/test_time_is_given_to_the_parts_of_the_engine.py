# SPDX-License-Identifier: Apache-2.0
"""A profile's seconds go to the part of the engine that spent them or called who did."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.profiling import PARTS, REST, part_shares

ENGINE, PROGRAM = ("/x/verifier/engine/search.py", 1, "run"), ("/x/verifier/bounds/lp.py", 1, "s")
BOUNDS, LIBRARY = ("/x/verifier/bounds/box.py", 1, "take"), ("/y/highspy/core.py", 1, "run")
BUILT_IN, LOOP = ("~", 0, "solve"), ("/y/numpy/core.py", 1, "again")


def calls(own: float, whole: float, **_: Any) -> tuple[int, int, float, float]:
    return 1, 1, own, whole


def test_a_library_works_for_its_caller() -> None:
    statistics = {
        ENGINE: (1, 1, 1.0, 10.0, {}),
        PROGRAM: (1, 1, 2.0, 6.0, {ENGINE: calls(2.0, 6.0)}),
        BOUNDS: (1, 1, 1.0, 3.0, {ENGINE: calls(1.0, 3.0)}),
        LIBRARY: (1, 1, 2.0, 4.0, {PROGRAM: calls(1.0, 3.0), BOUNDS: calls(1.0, 1.0)}),
        BUILT_IN: (1, 1, 4.0, 4.0, {LIBRARY: calls(4.0, 4.0)}),
    }

    shares = part_shares(statistics)

    assert shares == {
        **dict.fromkeys(PARTS, 0.0),
        "triangle programs": pytest.approx((2.0 + 0.75 * 6.0) / 10.0),
        "bounds of regions": pytest.approx((1.0 + 0.25 * 6.0) / 10.0),
        REST: pytest.approx(0.1),
    }


def test_a_function_that_calls_itself_ends_with_the_rest() -> None:
    statistics = {LOOP: (2, 1, 2.0, 2.0, {LOOP: calls(2.0, 2.0)})}

    assert part_shares(statistics)[REST] == 1.0
