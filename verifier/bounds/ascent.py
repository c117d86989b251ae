# SPDX-License-Identifier: Apache-2.0
"""Ascend to good multipliers, for many rows at once: what a linear program finds, without one.

The backward bound of a row is a function of its multipliers: the slopes ``alpha`` of unstable
neurons, the masses ``beta`` of phase literals and the weights of the rows of a case. It is concave
in each kind, and its gradient needs no automatic differentiation. One pass backwards gives the
coefficients ``nu`` and the corner of the box where the bound is least; one pass forwards from that
corner, along the lines that were chosen, gives ``z`` of every neuron, and then

    dL/dalpha = (part of nu on the lower line) z        dL/dbeta = -(sign of the literal) z
    dL/dweight of a row = the row's value there

which are the violations of the triangle relaxation's constraints at that point (the alpha-CROWN and
beta-CROWN of Xu et al. 2021 and Wang et al. 2021 in closed form). Steps are Adam's (Kingma & Ba
2015), projected to the ranges in which any multipliers are valid; the best of each row are kept.

Nothing here is trusted: what comes out is evaluated by ``backward.lower_bounds`` like everything
else. So it computes in float32, and where numbers are too large for that it finds nothing. It is
written for numpy and for torch alike, so that the same code runs on an accelerator
(``accelerator``).

Only *live* neurons take part: one that is inactive in every region of the batch is 0 there. On wide
image networks that leaves a fifth of the first layers.

Tried and dropped: mass on upper lines beyond the least (``q``). It gains only where a point leaves
a neuron's bounds, and gained nothing on MNIST 256x2 to 256x6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.bounds.layers import INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from verifier.bounds.accelerator import Device
    from verifier.bounds.box import Box
    from verifier.bounds.layers import Layers
    from verifier.bounds.relaxation import Relaxation

    Array = NDArray[np.float64]

RATE, REST = 0.2, 0.67
"""First step of slopes and weights, and what is left of it in the last one."""
MASS = 5.0
"""How much longer steps of masses are, in units of the coefficients of their layer, because a mass
has a long way to go from 0. With 1, hard properties of MNIST 256x4 take half as many regions
again."""
FIRST, SECOND, FLOOR = 0.5, 0.95, 1e-8
"""Adam's own constants: a shorter memory than the usual one, for there are few steps. With the
usual 0.9 and 0.999 the same properties take more than twice the regions."""


@dataclass(frozen=True, eq=False)
class Forms:
    """Linear forms ``coefficients[s] . y_s + constant``, of which each row weighs some.

    Attributes:
        coefficients: Source to shape (forms, source width).
        constant: Shape (forms,).
    """

    coefficients: Mapping[int, Array]
    constant: Array


@dataclass(frozen=True, eq=False)
class Start:
    """Where an ascent starts.

    Attributes:
        weights: Shape (rows, forms): weights of each row, which stay 0 where they are 0.
        alpha: Shape (rows, neurons): slopes of lower lines, used where a neuron is unstable.
        masses: Shape (rows, neurons): masses of phase literals, at least 0.
    """

    weights: Array
    alpha: Array
    masses: Array

    def row(self, row: int) -> Start:
        """Return one row in float32, which is what it was computed in."""
        parts = (part[row].astype(np.float32) for part in (self.weights, self.alpha, self.masses))
        return Start(*parts)


@dataclass(frozen=True, eq=False)
class Ascended:
    """What an ascent came to, for each row.

    Attributes:
        value: Shape (rows,): the best bounds, as float32 has them: a guess.
        best: Their multipliers.
        points: Shape (rows, input width): where these bounds are least.
        gaps: Shape (rows, neurons): what each neuron's upper line costs with default slopes and
            the best masses and weights.
    """

    value: Array
    best: Start
    points: Array
    gaps: Array


# What overflows float32 is no number, is never better than what was there, and is not kept.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def ascend(
    layers: Layers, forms: Forms, regions: Regions, start: Start, steps: int, device: Device
) -> Ascended:
    """Ascend from given multipliers; stop early where every bound is positive.

    Args:
        layers: The network.
        forms: What to weigh.
        regions: The region of each row.
        start: Where to start.
        steps: How many.
        device: Where to compute.
    """
    climb = _Climb(_Live(layers, forms, regions, device), start)
    climb.run(steps)
    return climb.ascended()


@dataclass(frozen=True, eq=False)
class Regions:
    """The region of each row.

    Attributes:
        lines: Relaxations, of shape (rows, neurons).
        box: Input boxes, a batch of one where all have the same.
        phases: Phase literals, of shape (rows, neurons).
    """

    lines: Relaxation
    box: Box
    phases: NDArray[np.int8]


class _Live:
    """The network between live neurons and the rows' lines, as arrays of the device."""

    def __init__(self, layers: Layers, forms: Forms, regions: Regions, device: Device) -> None:
        lines, phases = regions.lines, regions.phases
        is_live = (lines.unstable | (lines.slope > 0.0) | (phases != 0)).any(axis=0)
        self.device, self.places = device, layers.slices
        here = [np.flatnonzero(is_live[place]) for place in layers.slices]
        self.neurons = [place.start + n for place, n in zip(layers.slices, here, strict=True)]
        entries = {INPUT: np.arange(layers.input_width)} | dict(enumerate(here))
        put = device.put
        self.weights = [
            {s: put(w[np.ix_(here[k], entries[s])]) for s, w in layer.weights.items()}
            for k, layer in enumerate(layers.hidden)
        ]
        self.bias = [put(layer.bias[here[k]]) for k, layer in enumerate(layers.hidden)]
        self.forms = {s: put(c[:, entries[s]]) for s, c in forms.coefficients.items()}
        self.constant = put(forms.constant)
        self.slope, self.offset = self.split(lines.slope), self.split(lines.offset)
        # The lower line's slope of a neuron is ``fixed + unstable * alpha``.
        self.fixed = self.split(np.where(lines.unstable, 0.0, lines.slope))
        self.unstable, self.default = self.split(lines.unstable), self.split(lines.alpha)
        self.phases = self.split(phases)
        self.is_split = [bool((phases[:, n] != 0).any()) for n in self.neurons]
        self.centre = put((regions.box.lower + regions.box.upper) / 2)
        self.radius = put((regions.box.upper - regions.box.lower) / 2)

    def split(self, values: NDArray[Any]) -> list[Any]:
        """Return values of all neurons as one array of live ones for each layer."""
        return [self.device.put(values[:, neurons]) for neurons in self.neurons]

    def join(self, parts: Sequence[Any], values: Array) -> Array:
        """Write values of live neurons over those of all neurons."""
        for neurons, part in zip(self.neurons, parts, strict=True):
            values[:, neurons] = self.device.get(part)
        return values


@dataclass(frozen=True, eq=False)
class _Trace:
    """A pass backwards.

    Attributes:
        value: The bounds.
        corner: Where they are least.
        nu: For each layer, coefficients on its postactivations.
    """

    value: Any
    corner: Any
    nu: list[Any]


class _Climb:
    """An ascent under way.

    What is climbed on stands in one list: slopes by layer, masses by layer, weights.
    """

    def __init__(self, live: _Live, start: Start) -> None:
        self._live, self._start, self._space = live, start, live.device.space
        self._depth = len(live.weights)
        weights = live.device.put(start.weights)
        self._support = live.device.put(start.weights > 0.0)
        self._now = [*live.split(start.alpha), *live.split(start.masses), weights]
        self._best = list(self._now)
        self._mean = [self._space.zeros_like(part) for part in self._now]
        self._square = list(self._mean)
        self._trace = self._backward(self._now)
        self._value, self._corner = self._trace.value, self._trace.corner
        self._unit = [self._size(nu) for nu in self._trace.nu]
        self._moved = [
            *([True] * self._depth),
            *live.is_split,
            bool((start.weights > 0.0).sum(axis=1).max() > 1),
        ]

    def run(self, steps: int) -> None:
        """Climb, keeping the best."""
        where = self._space.where
        for step in range(steps):
            if bool(self._space.all(self._value > 0.0)):
                return
            self._move(step, RATE * REST ** (step / steps), self._gradient(self._trace))
            self._trace = self._backward(self._now)
            better = self._trace.value > self._value
            self._best = [
                where(better[:, None], now, best) if moved else best
                for now, best, moved in zip(self._now, self._best, self._moved, strict=True)
            ]
            self._value = where(better, self._trace.value, self._value)
            self._corner = where(better[:, None], self._trace.corner, self._corner)

    def ascended(self) -> Ascended:
        """Return the best of each row."""
        live, get, depth = self._live, self._live.device.get, self._depth
        masses = live.join(self._best[depth:-1], np.zeros_like(self._start.masses))
        alpha = live.join(self._best[:depth], self._start.alpha.copy())
        best = Start(get(self._best[-1]), alpha, masses)
        # Scores at the best slopes would be blind: where those are 0, so is all that is before.
        trace = self._backward([*live.default, *self._best[depth:]])
        costs = [
            (self._space.abs(nu) - nu) / 2 * offset
            for nu, offset in zip(trace.nu, live.offset, strict=True)
        ]
        gaps = live.join(costs, np.zeros_like(self._start.masses))
        return Ascended(get(self._value), best, get(self._corner), gaps)

    def _lower(self, now: Sequence[Any], layer: int) -> Any:
        """Return the slopes of each row's lower lines."""
        return self._live.fixed[layer] + self._live.unstable[layer] * now[layer]

    def _backward(self, now: Sequence[Any]) -> _Trace:
        live, space, depth = self._live, self._space, self._depth
        coefficients = {s: now[-1] @ part for s, part in live.forms.items()}
        value = now[-1] @ live.constant
        nus: list[Any] = [None] * depth
        for k in range(depth - 1, -1, -1):
            nu = coefficients.pop(k, None)
            if nu is None:
                nu = space.zeros_like(live.slope[k])
            nus[k] = nu
            above = (space.abs(nu) - nu) / 2
            on_z = self._lower(now, k) * (nu + above) - live.slope[k] * above
            if live.is_split[k]:
                on_z = on_z - live.phases[k] * now[depth + k]
            value = value - space.sum(above * live.offset[k], axis=1) + on_z @ live.bias[k]
            for source, weight in live.weights[k].items():
                coefficients[source] = coefficients.get(source, 0.0) + on_z @ weight
        slopes = coefficients.get(INPUT, 0.0) + space.zeros_like(value)[:, None]
        corner = live.centre - space.sign(slopes) * live.radius
        return _Trace(value + space.sum(slopes * corner, axis=1), corner, nus)

    def _gradient(self, trace: _Trace) -> list[Any]:
        """Return the gradient, from a pass forwards along the chosen lines."""
        live, space, depth = self._live, self._space, self._depth
        values = {INPUT: trace.corner}
        slopes, masses = [], []
        for k in range(depth):
            z = live.bias[k] + sum(values[s] @ w.T for s, w in live.weights[k].items())
            nu = trace.nu[k]
            slopes.append((space.abs(nu) + nu) / 2 * z * live.unstable[k])
            masses.append(-live.phases[k] * z)
            upper = live.slope[k] * z + live.offset[k]
            values[k] = space.where(nu >= 0.0, self._lower(self._now, k) * z, upper)
        rows = live.constant + sum(values[s] @ part.T for s, part in live.forms.items())
        return [*slopes, *masses, rows]

    def _move(self, step: int, rate: float, gradient: Sequence[Any]) -> None:
        """Take a step of Adam's, and project it to what is valid."""
        space, depth = self._space, self._depth
        for place, rise in enumerate(gradient):
            if not self._moved[place]:
                continue
            self._mean[place] = FIRST * self._mean[place] + (1.0 - FIRST) * rise
            self._square[place] = SECOND * self._square[place] + (1.0 - SECOND) * rise * rise
            size = space.sqrt(self._square[place] / (1.0 - SECOND ** (step + 1))) + FLOOR
            move = rate / (1.0 - FIRST ** (step + 1)) * self._mean[place] / size
            if depth <= place < 2 * depth:
                move = move * self._unit[place - depth]
            most = 1.0 if place < depth else None
            self._now[place] = space.clip(self._now[place] + move, 0.0, most)
        if self._moved[-1]:
            weights = (self._now[-1] + FLOOR) * self._support
            self._now[-1] = weights / space.sum(weights, axis=1)[:, None]

    def _size(self, nu: Any) -> Any:
        """Return the mean magnitude of coefficients: masses are measured by it."""
        mean = self._space.sum(self._space.abs(nu), axis=1) / max(nu.shape[1], 1)
        return (MASS * mean + FLOOR)[:, None]
