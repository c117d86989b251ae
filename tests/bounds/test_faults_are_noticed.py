# SPDX-License-Identifier: Apache-2.0
"""Seeded faults: each makes a bound unsound, and the soundness checks must see it.

A fault is one replacement in the source of one function, swapped in for the length of a test. If a
text is no longer there, the code has changed and the fault must be written anew.
"""

from __future__ import annotations

import inspect
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from tests.bounds import tangled_networks as tangled
from tests.bounds.escapes import anywhere, from_domains
from tests.bounds.test_extreme_numbers_are_bounded_or_refused import (
    LOST,
    at_least,
    is_refuted,
)
from verifier.bounds import (
    backward,
    box,
    intersection,
    interval,
    layers,
    live,
    objective,
    relaxation,
    tighten,
    tree,
    zonotope,
)
from verifier.engine import evaluate, region, region_tree
from verifier.ir.evaluate import evaluate_exactly

if TYPE_CHECKING:
    from collections.abc import Callable

TRIALS = 160


class Fault(NamedTuple):
    """One replacement in one function."""

    function: Callable[..., Any]
    right: str
    wrong: str


FAULTS = (
    Fault(layers.Layers.of.__func__, "8 * (terms + 64) * UNIT", "0.0"),  # type: ignore[attr-defined]
    Fault(layers._layer, "exact[source] + weight if", "weight if"),
    Fault(box._at_most, "close if close <= value else", "close if True else"),
    Fault(box.Box.intersection, "self.lower, other.lower", "self.lower, other.upper"),
    Fault(interval.affine, "(batch, layer.width)) + layer.bias\n", "(batch, layer.width))\n"),
    Fault(interval.affine, "half @ absolute", "half @ weight.T"),
    Fault(interval.affine, "error * magnitude", "0 * magnitude"),
    Fault(interval.affine, "(box.upper - box.lower) / 2", "(box.upper - box.lower) / 4"),
    Fault(interval.relu, "np.maximum(preactivation.upper, 0.0)", "preactivation.lower"),
    Fault(zonotope.affine, "(batch, layer.width)) + layer.bias\n", "(batch, layer.width))\n"),
    Fault(zonotope.affine, "+= zonotope.generators", "= zonotope.generators"),
    Fault(zonotope.of_box, "(box.upper - box.lower) / 2", "(box.upper - box.lower) / 3"),
    Fault(zonotope.relu, "zonotope.centre * slope + half", "zonotope.centre * slope"),
    Fault(zonotope.relu, "= half[owners, entries]", "= 0.0"),
    Fault(zonotope.relu, "[owners, first + order", "[owners, 1 + order"),
    Fault(zonotope.Zonotope.box, "self.centre + spread", "self.centre + 0.9 * spread"),
    Fault(relaxation.relax, "ends * (1.0 + 8.0 * UNIT)", "0.5 * ends"),
    Fault(relaxation.unstable, "upper <= 0.0", "upper <= 0.5"),
    Fault(relaxation.unstable, "lower >= 0.0", "lower >= -0.5"),
    Fault(backward.substitute, "np.maximum(-nu, 0.0)", "np.maximum(nu, 0.0)"),
    Fault(backward.substitute, "np.maximum(above, chosen[1][:, place])", "chosen[1][:, place]"),
    Fault(backward.substitute, "constant - cost", "constant + cost"),
    Fault(backward.substitute, " + nu @ layers.hidden[k].bias", ""),
    Fault(backward.substitute, "nu - beta", "nu + beta"),
    Fault(backward.substitute, "below - lines.slope", "below + lines.slope"),
    Fault(backward.substitute, "layers.place(source)] += nu", "layers.place(source)] = nu"),
    Fault(backward._concretize, "box.lower, box.upper", "box.upper, box.lower"),
    Fault(backward._concretize, "layers.error * magnitude", "-layers.error * magnitude"),
    Fault(objective.objective, "layers.output.bias - bound", "layers.output.bias + bound"),
    Fault(objective.objective, "coefficients.get(INPUT, 0.0) + on_input", "on_input"),
    Fault(intersection._backward, "sign * layer.bias[neurons]", "layer.bias[neurons]"),
    Fault(intersection._impose, "phases > 0, np.max", "phases < 0, np.max"),
    Fault(intersection._recomputed, "interval.relu(bounds)", "bounds"),
    Fault(region.phases_of, "1 if literal.active else -1", "-1 if literal.active else 1"),
    Fault(region.cut, "literal.threshold)", "literal.threshold / 2)"),
    Fault(region_tree._tree, "1 if literal.active else -1", "-1 if literal.active else 1"),
    Fault(region_tree._tree, "min(upper[node, literal.input], literal.threshold)", "0.0"),
    Fault(region_tree._tree, "max(lower[node, literal.input], literal.threshold)", "1.0"),
    Fault(tree._cut, "both.lower > both.upper", "both.lower >= both.upper"),
    Fault(tree._put, "its.lower, its.upper", "its.lower, its.lower"),
    Fault(evaluate._dense, "masses * phases[owners", "-masses * phases[owners"),
    Fault(live.Live.of.__func__, "~(upper <= 0.0)", "~(upper <= 0.2)"),  # type: ignore[attr-defined]
    Fault(live.Live.of.__func__, "[upper < 0.0, lower > 0.0]", "[lower < 0.0, upper > 0.0]"),  # type: ignore[attr-defined]
    Fault(live.Live.empty, "active & (phases > 0)", "active & (phases <= 0)"),
    Fault(live.Live.relaxation, "phases > 0).astype", "phases < 0).astype"),
    Fault(live.Live.relaxation, "is_cut, 0.0, whole.offset", "True, 0.0, whole.offset"),
    Fault(live.Live.lower_bounds, "self.entries[source]", "self.entries[source][::-1]"),
    Fault(tighten._Layer.__init__, "signs * layer.bias", "layer.bias"),
    Fault(tighten._Layer.bounds, "return values", "return values + slopes.mean(axis=1)"),
    Fault(tighten._cut, "upper[0, neurons], -minus_most", "upper[0, neurons], minus_most"),
)


def seed(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    """Swap in the function's code with the fault."""
    function = inspect.unwrap(fault.function)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(fault.right) == 1, f"{function.__qualname__} has changed: {fault.right!r}"
    namespace = dict(function.__globals__)
    exec(source.replace(fault.right, fault.wrong), namespace)  # noqa: S102  # That is the point.
    faulty: Any = namespace[function.__name__]
    faulty = inspect.unwrap(getattr(faulty, "__func__", faulty))
    monkeypatch.setattr(function, "__code__", faulty.__code__)


def is_noticed() -> bool:
    """Return whether the soundness checks find an escape in a fixed series of networks."""
    if from_domains(*tangled.branches()):
        return True
    for trial in range(TRIALS):
        rng = np.random.default_rng(trial)
        graph = tangled.network(rng, tangled.KINDS[trial % len(tangled.KINDS)])
        input_box = tangled.some_box(rng, graph.input_width)
        prop = tangled.some_property(rng, graph, input_box)
        if anywhere(rng, graph, prop, tangled.some_points(rng, input_box)):
            return True
    return False


@pytest.mark.slow
def test_without_a_fault_nothing_is_noticed() -> None:
    assert not is_noticed()


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.function.__name__}: {f.wrong}")
def test_a_fault_is_noticed(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(monkeypatch, fault)

    assert is_noticed()


def test_uncounted_underflow_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backward, "TINY", 0.0)

    graph, upper = LOST["two coefficients whose product is below the smallest float"]
    prop = at_least(upper, evaluate_exactly(graph, (upper,))[0] / 2)

    assert is_refuted(graph, prop)
