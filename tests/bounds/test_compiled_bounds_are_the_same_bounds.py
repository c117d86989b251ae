# SPDX-License-Identifier: Apache-2.0
"""Compiled loops against exact runs, against matrix products, and against seeded faults.

``kernels`` is small enough to run as plain Python, which is how faults are seeded and how a test
of every branch stays fast; one test runs the machine code and compares the two.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.bounds import tangled_networks as tangled
from tests.bounds.escapes import literals_at
from tests.bounds.test_extreme_numbers_are_bounded_or_refused import LOST, at_least, is_refuted
from tests.bounds.test_faults_are_noticed import is_noticed
from verifier.bounds import backward, intersection, kernels, tree
from verifier.bounds.layers import Layers
from verifier.engine.evaluate import Query, evaluate
from verifier.engine.problem import Problem
from verifier.engine.region import root, split
from verifier.engine.region_tree import ALONG, RegionTree
from verifier.ir.evaluate import evaluate_exactly
from verifier.proof.muc import Multipliers

if TYPE_CHECKING:
    from collections.abc import Callable

    from verifier.engine.region import Region

FAULTS = (
    ("terms[i] = abs(centre[i]) + TINY", "terms[i] = 0.0"),
    ("half[entry] * absolute", "half[entry] * weight"),
    ("radius[i] + (net.error * terms[i] + TINY)", "radius[i] + TINY"),
    ("(upper[i] - lower[i]) / 2", "(upper[i] - lower[i]) / 4"),
    ("(high - low) / 2", "(high - low) / 4"),
    ("offset * (1.0 + 8.0 * UNIT) + TINY", "0.5 * offset"),
    ("if upper <= 0.0:", "if upper <= 0.5:"),
    ("if lower >= 0.0:\n        return 1.0", "if lower >= -0.5:\n        return 1.0"),
    ("high <= 0.0 and not low >= 0.0", "high <= 0.5 and not low >= 0.0"),
    ("max(-coefficient, 0.0, mass)", "max(coefficient, 0.0, mass)"),
    ("max(-coefficient, 0.0, mass)", "mass"),
    ("on_z * bias - above * offset", "on_z * bias"),
    ("on_z * bias - above * offset", "-above * offset"),
    ("slope * above - beta", "slope * above + beta"),
    ("below - slope", "below + slope"),
    ("found += product", "found[:] = product"),
    ("coefficients[:] = 0.0", "pass"),
    ("compact[q * count + p]", "compact[p * work.lives[source] + q]"),
    ("low if slope >= 0.0 else high", "high if slope >= 0.0 else low"),
    ("value[row] - slack if", "value[row] + slack if"),
    ("work.constant[half + p] = bias, -bias", "work.constant[half + p] = bias, bias"),
    ("found[j, half + p] = weight, -weight", "found[j, half + p] = weight, weight"),
    ("if low > high:", "if low >= high:"),
    ("max(lower[above, i], lower[member, i])", "max(upper[above, i], lower[member, i])"),
    ("empty[member] |= empty[above]", "empty[member] |= not empty[above]"),
    ("if phase > 0 and low < 0.0", "if phase < 0 and low < 0.0"),
    ("max(upper[i], 0.0)", "max(lower[i], 0.0)"),
)


def in_plain_python(right: str = "", wrong: str = "") -> ModuleType:
    """Return the kernels without a compiler, with one replacement."""
    source = inspect.getsource(kernels)
    assert source.count(right) >= 1, f"the kernels have changed: {right!r}"
    module = ModuleType("plain_kernels")
    plain = "def njit(**_):\n    return lambda function: function\n"
    source = source.replace("from numba import njit\n", plain).replace(right, wrong)
    exec(compile(source, kernels.__file__, "exec"), module.__dict__)  # noqa: S102
    return module


def use(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    """Send all work, however small, to the given kernels."""
    for reader in (backward, intersection, tree):
        monkeypatch.setattr(reader, "load_kernels", lambda: module)
    plain = Layers.of
    monkeypatch.setattr(Layers, "of", lambda graph: replace(plain(graph), compiled=True))


@pytest.mark.slow
def test_compiled_bounds_contain_every_exact_run(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, in_plain_python())

    assert not is_noticed()


@pytest.mark.slow
@pytest.mark.parametrize(("right", "wrong"), FAULTS, ids=lambda text: text[:40])
def test_a_fault_is_noticed(right: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, in_plain_python(right, wrong))

    assert is_noticed()


@pytest.mark.parametrize("name", LOST)
def test_underflow_is_counted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, upper = LOST[name]
    prop = at_least(upper, evaluate_exactly(graph, (upper,))[0] / 2)
    use(monkeypatch, in_plain_python())

    assert not is_refuted(graph, prop)


def test_uncounted_underflow_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, upper = LOST["two coefficients whose product is below the smallest float"]
    prop = at_least(upper, evaluate_exactly(graph, (upper,))[0] / 2)
    use(monkeypatch, in_plain_python("raise ImportError(message)\n", "pass\nTINY = 0.0\n"))

    assert is_refuted(graph, prop)


def test_fields_in_another_order_are_noticed_when_loading() -> None:
    """Code on disk reads fields by position and knows nothing of a new order."""
    with pytest.raises(ImportError, match="written for other constants or fields"):
        in_plain_python("place edges source", "edges place source")


def test_without_a_place_for_compiled_code_it_is_compiled_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])
    module = ModuleType("kernels_of_a_read_only_installation")

    exec(compile(inspect.getsource(kernels), kernels.__file__, "exec"), module.__dict__)  # noqa: S102

    assert not module._can_be_kept()


def results(problem: Problem, regions: list[Region]) -> list[Any]:
    """Return all bounds of some regions' children, and rows bounded there."""
    literals = [region.path[-1].negated() for region in regions]
    parents = [root(problem, 0)] * len(regions)
    children = split(problem, list(zip(parents, literals, strict=True)))
    count, all_neurons = problem.groups[0].objectives[0].count, len(problem.layers.neurons)
    masses = (np.arange(all_neurons), np.full(all_neurons, 0.25))
    rows = Multipliers(np.ones(count), literals=masses[0], masses=masses[1])
    bound = evaluate(problem, [Query(child, 0) for child in children], [rows] * len(children))
    together = RegionTree.of(problem, 0, [child.path for child in children], ALONG).bounds
    ends = [together.neurons.lower, together.neurons.upper]
    ends += [end for c in children for end in (c.bounds.neurons.lower, c.bounds.neurons.upper)]
    return [*ends, bound.value, bound.slopes, bound.slack, bound.gaps]


def compiled(problem: Problem) -> Problem:
    return replace(problem, layers=replace(problem.layers, compiled=True))


def some_regions(trial: int, kind: Callable[..., Any]) -> tuple[Problem, list[Region]]:
    rng = np.random.default_rng(trial)
    graph = tangled.network(rng, kind)
    box = tangled.some_box(rng, graph.input_width)
    problem = Problem.of(graph, tangled.some_property(rng, graph, box))
    paths = [literals_at(rng, graph, x, 3) for x in tangled.some_points(rng, box)]
    return problem, [
        split(problem, [(root(problem, 0), literal)])[0] for path in paths for literal in path
    ]


@pytest.mark.slow
def test_machine_code_does_what_the_text_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for trial, kind in enumerate(tangled.KINDS):
        case, regions = some_regions(trial, kind)
        machine = results(compiled(case), regions)
        use(monkeypatch, in_plain_python())
        text = results(compiled(case), regions)
        monkeypatch.undo()

        for mine, other in zip(machine, text, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)


def test_both_ways_give_the_same_bounds_but_for_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    for trial, kind in enumerate(tangled.KINDS):
        case, regions = some_regions(trial, kind)
        products = results(case, regions)
        use(monkeypatch, in_plain_python())
        loops = results(compiled(case), regions)
        monkeypatch.undo()

        for mine, other in zip(products[:-4], loops[:-4], strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9)
        value, _, slack, _ = products[-4:]
        other_value, _, other_slack, _ = loops[-4:]
        assert np.all(np.abs(value - other_value) <= slack + other_slack)
