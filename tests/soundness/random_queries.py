# SPDX-License-Identifier: Apache-2.0
"""Random queries in VNN-LIB 2.0 about random models, with points of their boxes.

Their thresholds lie where outputs begin or end, as far as points tell, so that both answers are
frequent and a mistake in one entry shows.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from tests.soundness.random_models import RandomModel, random_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Point = dict[str, Fraction]
POINTS = 40
RELATIONS = ("<=", "<", ">=", ">", "<=", ">=", "==", "!=")


@dataclass(frozen=True)
class Network:
    """A network of a query.

    Attributes:
        number: Its place.
        model: What it computes.
        equal_to: The place of the network that it is declared equal to, if any.
        isomorphic_to: The place of the network in the same file that it has the structure of.
        hidden: Names of values in the model that the query speaks of.
    """

    number: int
    model: RandomModel
    equal_to: int | None
    hidden: Sequence[str]
    isomorphic_to: int | None = None

    @property
    def tensors(self) -> list[tuple[str, str, str]]:
        """Kind, name and value in the model of each variable, in the order of declaration."""
        kinds = (("input", "X"), ("hidden", "H"), ("output", "Y"))
        values = ([f"in{i}" for i in range(len(self.model.inputs))], self.hidden)
        return [
            (kind, f"{letter}{self.number}_{i}", value)
            for (kind, letter), names in zip(kinds, (*values, self.model.outputs), strict=True)
            for i, value in enumerate(names)
        ]

    @property
    def text(self) -> str:
        """Its declaration."""
        lines = [f"(declare-network f{self.number}"]
        if self.equal_to is not None:
            lines.append(f"(equal-to f{self.equal_to})")
        if self.isomorphic_to is not None:
            lines.append(f"(isomorphic-to f{self.isomorphic_to})")
        for kind, name, value in self.tensors:
            shape = ",".join(map(str, self.model.declared[value]))
            quoted = f' "{value}"' if kind == "hidden" else ""
            lines.append(f"(declare-{kind} {name} Real [{shape}]{quoted})")
        return "\n    ".join(lines) + ")\n"

    def entries(self, *kinds: str) -> list[str]:
        """Return the names of the entries of its variables of some kinds."""
        return [
            entry
            for kind, name, value in self.tensors
            if kind in kinds
            for entry in self._entries(name, value)
        ]

    def _entries(self, name: str, value: str) -> list[str]:
        shape = self.model.declared[value]
        return [f"{name}[{','.join(map(str, index))}]" for index in np.ndindex(shape)]

    def values(self, x: Mapping[str, Fraction]) -> Point:
        """Return the values of all its entries, given those of the inputs."""
        tensors = [(name, value) for kind, name, value in self.tensors if kind == "input"]
        found = self.model.values([[x[e] for e in self._entries(*tensor)] for tensor in tensors])
        return {
            entry: number
            for _, name, value in self.tensors
            for entry, number in zip(self._entries(name, value), found[value], strict=True)
        }


@dataclass(frozen=True)
class RandomQuery:
    """A query.

    Attributes:
        networks: Its networks.
        text: Its text.
        points: Values of all entries, each at one input within the bounds.
    """

    networks: Sequence[Network]
    text: str
    points: Sequence[Point]

    @classmethod
    def of(cls, seed: int) -> RandomQuery:
        """Return the query of a seed."""
        rng = random.Random(seed)
        networks: list[Network] = []
        for number in range(rng.choice([1, 2, 2, 3])):
            networks.append(_network(rng, number, networks))
        equal = _equalities(rng, networks)
        inputs = [entry for network in networks for entry in network.entries("input")]
        same = _leaders(inputs, equal)
        bounds = {entry: _bounds(rng) for entry in inputs}
        bounds = {entry: bounds[same[entry]] for entry in inputs}
        points = [_point(rng, networks, same, bounds) for _ in range(POINTS)]
        asserted = [f"(and (>= {e} {low}) (<= {e} {high}))" for e, (low, high) in bounds.items()]
        asserted += [f"(== {left} {right})" for left, right in equal]
        names = [e for network in networks for e in network.entries("output", "hidden") * 2]
        asserted += [_formula(rng, names + inputs, points, 2) for _ in range(rng.randint(1, 2))]
        rng.shuffle(asserted)
        text = "(vnnlib-version <2.0>)\n" + "".join(network.text for network in networks)
        return cls(networks, text + "".join(f"(assert {a})\n" for a in asserted), points)

    def values(self, x: Mapping[str, Fraction]) -> Point:
        """Return the values of all entries, given those of the inputs."""
        return {e: v for network in self.networks for e, v in network.values(x).items()}


def _network(rng: random.Random, number: int, earlier: Sequence[Network]) -> Network:
    """Return a new network, one that is equal to an earlier one, or its model in a file again."""
    bases = [n for n in earlier if n.equal_to is None and n.isomorphic_to is None]
    equal_to = isomorphic_to = None
    if bases and rng.random() < 0.6:
        base = rng.choice(bases)
        model = base.model
        equal_to = base.number if rng.random() < 0.7 else None
        isomorphic_to = base.number if equal_to is None and rng.random() < 0.7 else None
        if rng.random() < 0.5:
            return Network(number, model, equal_to, base.hidden, isomorphic_to)
    else:
        shapes = [random_shape(rng, rng.randint(1, 3)) for _ in range(rng.choice([1, 2, 2, 3]))]
        model = RandomModel(rng, shapes)
    hidden = rng.choices([*model.shapes, *model.outputs], k=rng.choice([0, 1, 2]))
    return Network(number, model, equal_to, hidden, isomorphic_to)


def _equalities(rng: random.Random, networks: Sequence[Network]) -> list[tuple[str, str]]:
    """Return inputs that are asserted to be equal: in order, out of order, or any."""
    if len(networks) == 1 or rng.random() < 0.2:
        return []
    first, other = (network.entries("input") for network in rng.sample(networks, 2))
    if rng.random() < 0.4:
        rng.shuffle(other)
    if rng.random() < 0.2:
        other = rng.choices(first + other, k=2)
    return list(zip(first, other, strict=False))


def _leaders(inputs: Sequence[str], equal: Sequence[tuple[str, str]]) -> dict[str, str]:
    same = {entry: entry for entry in inputs}
    for left, right in equal:
        old, new = same[left], same[right]
        same = {entry: new if leader == old else leader for entry, leader in same.items()}
    return same


def _bounds(rng: random.Random) -> tuple[float, float]:
    low = rng.randint(-2, 1)
    return float(low), low + rng.choice([0.0, 0.5, 1.0, 2.0])


def _point(
    rng: random.Random,
    networks: Sequence[Network],
    same: Mapping[str, str],
    bounds: Mapping[str, tuple[float, float]],
) -> Point:
    """Return a point, most often with entries at their ends."""
    chosen = {
        entry: Fraction(low)
        + Fraction(high - low) * Fraction(rng.choice([0, 0, 0, 1, 2, 3, 4, 4, 4]), 4)
        for entry, (low, high) in bounds.items()
    }
    x = {entry: chosen[leader] for entry, leader in same.items()}
    return {e: v for network in networks for e, v in network.values(x).items()}


def _formula(rng: random.Random, names: Sequence[str], points: Sequence[Point], depth: int) -> str:
    if depth and rng.random() < 0.45:
        parts = [_formula(rng, names, points, depth - 1) for _ in range(rng.randint(1, 3))]
        return f"({rng.choice(['and', 'or'])} {' '.join(parts)})"
    term = [
        (rng.choice([-2.0, -1.0, 0.5, 1.0, 1.0, 2.0]), rng.choice(names))
        for _ in range(rng.randint(1, 3))
    ]
    values = [sum((Fraction(c) * p[name] for c, name in term), Fraction()) for p in points]
    threshold = rng.choice([max(values), min(values), rng.choice(values)])
    threshold += Fraction(rng.choice([0, 0, 0, 1, -1]), rng.choice([1, 4]))
    words = [f"(* {c} {name})" if rng.random() < 0.7 else f"(* {name} {c})" for c, name in term]
    relation = rng.choice(RELATIONS)
    if rng.random() < 0.5:
        return f"({relation} (+ {' '.join(words)}) {float(threshold)!r})"
    return f"({relation} (- (+ {' '.join(words)}) {float(threshold)!r}) 0.0)"
