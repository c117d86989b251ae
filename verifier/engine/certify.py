# SPDX-License-Identifier: Apache-2.0
"""Write down a proof so that someone else can check it.

The certificate holds what a checker cannot find cheaply by itself: which regions, which slopes,
which multipliers, and the propositional refutation. It holds no bounds: the checker computes its
own. With the slopes given they differ from ours by the roundings alone, which ours are widened for;
a core whose margin is of the size of those roundings might be rejected, never wrongly accepted.
"""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.certificate.format import FORMAT
from verifier.certificate.values import MOST_CHARACTERS
from verifier.engine.region import exact_bounds
from verifier.engine.region_tree import ALONG, STRAIGHT, RegionTree, in_chunks
from verifier.errors import RefusedError
from verifier.ir.fingerprint import fingerprint
from verifier.ir.graph import Neuron
from verifier.proof.literals import Literal, Path, Phase
from verifier.spec.fingerprint import property_fingerprint
from verifier.verdict import Semantics, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from verifier.bounds.region_bounds import RegionBounds
    from verifier.engine.clauses import Refutation
    from verifier.engine.cover import Cover
    from verifier.engine.problem import Problem
    from verifier.engine.protocols import ExactMultiplierFinder
    from verifier.engine.region import Region
    from verifier.ir.graph import Graph
    from verifier.proof.muc import Core, Multipliers
    from verifier.spec.property import Property


def certificate_of_violation(
    graph: Graph, prop: Property, point: Sequence[Fraction]
) -> dict[str, Any]:
    """Return the certificate of a counterexample."""
    return _head(graph, prop, Verdict.VIOLATED) | {"point": [str(value) for value in point]}


def certificate_of_cores(
    problem: Problem, cover: Cover, exact_multipliers: ExactMultiplierFinder
) -> dict[str, Any]:
    """Return the certificate of a proof by cores.

    Args:
        problem: What was proven.
        cover: The cores.
        exact_multipliers: Finds the multipliers of cores that only exact arithmetic refutes.

    Raises:
        RefusedError: Such a core has no multipliers.
    """
    refutation = cover.refutation()
    writer = _Writer(problem, refutation, exact_multipliers)
    for group in range(len(problem.groups)):
        members = [core for core in cover.cores if problem.group_of(core.case) == group]
        for chunk in in_chunks(members):
            writer.add(chunk, group)
    return _head(problem.graph, problem.prop, Verdict.HOLDS) | {
        "atoms": [_atom(atom) for atom in refutation.atoms],
        "regions": writer.regions,
        "cores": writer.cores,
        "clauses": [list(step) for step in refutation.steps],
    }


def _head(graph: Graph, prop: Property, verdict: Verdict) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "verdict": str(verdict),
        "semantics": str(Semantics.REAL),
        "network": fingerprint(graph),
        "property": property_fingerprint(prop),
    }


def _atom(atom: int | Neuron | tuple[int, float]) -> list[Any]:
    match atom:
        case Neuron(layer, index):
            return ["phase", layer, index]
        case int():
            return ["case", atom]
        case _:
            return ["at_most", *atom]


STRIDES = (STRAIGHT, 8, 4, 2, ALONG)
"""By how many literals a region is below the one it is bounded from; the largest that will do is
taken. Most cores are refuted by bounds straight from the root, and regions are what takes a checker
its time."""

# Group, path and stride of a region.
_Key = tuple[int, "Path", int]


class _Writer:
    """Collects regions and cores, each region once."""

    def __init__(
        self,
        problem: Problem,
        refutation: Refutation,
        exact_multipliers: ExactMultiplierFinder,
    ) -> None:
        self._problem = problem
        self._exact_multipliers = exact_multipliers
        self._variable = {
            _key(atom): number for number, atom in enumerate(refutation.atoms, start=1)
        }
        self._place: dict[_Key, int] = {}
        self.regions: list[dict[str, Any]] = []
        self.cores: list[dict[str, Any]] = []

    def add(self, cores: Sequence[Core], group: int) -> None:
        """Add cores of a group, each with as few regions on its path as refute it."""
        left = list(cores)
        for stride in STRIDES:
            tree = RegionTree.of(self._problem, group, [core.path for core in left], stride)
            done = _refuted(left, tree) if stride != ALONG else [True] * len(left)
            for number, core in enumerate(left):
                if done[number]:
                    self._add(core, tree, number, stride)
            left = [core for core, is_done in zip(left, done, strict=True) if not is_done]

    def _add(self, core: Core, tree: RegionTree, number: int, stride: int) -> None:
        above: _Key | None = None
        for step, node in enumerate(tree.chains[number]):
            # A root is the same whatever the stride.
            path = core.path[: step * stride]
            key = (tree.group, path, stride if path else 0)
            if key not in self._place:
                self._place[key] = len(self.regions)
                self.regions.append(self._region(key, above, tree.bounds.single(node)))
            above = key
        region = tree.region(number)
        if core.margin == np.inf:
            evidence: dict[str, Any] = {"empty": True}
        elif core.multipliers is None:
            evidence = self._exact(core, region)
        else:
            evidence = self._evidence(core, core.multipliers, region)
        head = {"region": self._place[tree.group, core.path, stride if core.path else 0]}
        self.cores.append(head | {"case": core.case} | evidence)

    def _evidence(self, core: Core, multipliers: Multipliers, region: Region) -> dict[str, Any]:
        neurons = self._problem.layers.neurons
        phases = {literal.neuron for literal in core.path if isinstance(literal, Phase)}
        live = self._problem.groups[region.group].live
        lines = (multipliers.neurons, multipliers.alpha, multipliers.q)
        masses = zip(multipliers.literals.tolist(), multipliers.masses.tolist(), strict=True)
        return {
            "rows": multipliers.rows.tolist(),
            "neurons": [
                [*neurons[number], alpha, q]
                for number, alpha, q in zip(*(part.tolist() for part in lines), strict=True)
            ]
            + self._unlisted(core, region),
            # Masses on what is inactive all over the box were no part of the evaluation.
            "masses": [
                [*neurons[n], mass]
                for n, mass in masses
                if neurons[n] in phases and (live is None or live.column[n] >= 0)
            ],
        }

    def _unlisted(self, core: Core, region: Region) -> list[list[float]]:
        """Return the default slopes that the core relies on and its region does not give."""
        if core.path or not self._problem.layers.wide or core.multipliers is None:
            return []
        lines, neurons = region.bounds.relaxation, self._problem.layers.neurons
        unlisted = np.setdiff1d(np.flatnonzero(lines.unstable[0]), core.multipliers.neurons)
        return [[*neurons[i], float(lines.alpha[0, i]), 0.0] for i in unlisted.tolist()]

    def _exact(self, core: Core, region: Region) -> dict[str, Any]:
        found = self._exact_multipliers(core.case, core.path, exact_bounds(region))
        if found is None:
            msg = (
                f"case {core.case}: exact arithmetic refuted it in a region of {len(core.path)} "
                "literals, but finds no multipliers that show it"
            )
            raise RefusedError(msg)
        scale = lcm(*(value.denominator for value in (*found.rows, *found.literals.values())))
        rows = [str(weight * scale) for weight in found.rows]
        masses = [[*neuron, str(mass * scale)] for neuron, mass in found.literals.items()]
        longest = max(len(str(value)) for value in [*rows, *(mass for *_, mass in masses)])
        if longest > MOST_CHARACTERS:
            msg = f"case {core.case}: its exact multipliers have up to {longest} digits"
            raise RefusedError(msg)
        return {"exact": True, "rows": rows, "masses": masses}

    def _region(self, key: _Key, above: _Key | None, bounds: RegionBounds) -> dict[str, Any]:
        group, path, _ = key
        # The bounds of a root are made by its slopes before they are tightened.
        bounds = bounds if path else self._problem.groups[group].loose
        alpha = [
            np.flatnonzero(relaxation.unstable[0] & (relaxation.alpha[0] > 0.5)).tolist()
            for relaxation in bounds.relaxations
        ]
        if above is not None:
            literals = [self._signed(literal) for literal in path[len(above[1]) :]]
            entry = {"parent": self._place[above], "literals": literals, "alpha": alpha}
            return entry | {"kept": True} if self._problem.layers.wide else entry
        first = self._problem.groups[group].first
        slopes = [
            [np.flatnonzero(r.unstable[0]).tolist(), r.slope[0][r.unstable[0]].tolist()]
            for r in first
        ]
        case = min(self._problem.groups[group].objectives)
        entry = {"parent": None, "case": case, "slopes": slopes, "alpha": alpha}
        if self._problem.layers.wide:
            entry["tightened"] = self._tightened(group)
        return entry

    def _tightened(self, group: int) -> list[list[Any]]:
        """Return for each layer neurons, the neurons before them that matter, and two matrices."""
        neurons, found = self._problem.layers.neurons, []
        for part in self._problem.groups[group].tightened:
            lower, upper = np.split(part.slopes, 2)
            indices = [neurons[n].index for n in part.neurons.tolist()]
            names = [list(neurons[n]) for n in part.lines.tolist()]
            found.append([indices, names, lower.tolist(), upper.tolist()])
        return found

    def _signed(self, literal: Literal) -> int:
        if isinstance(literal, Phase):
            number = self._variable[_key(literal.neuron)]
            return number if literal.active else -number
        number = self._variable[_key((literal.input, literal.threshold))]
        return number if literal.below else -number


def _refuted(cores: Sequence[Core], tree: RegionTree) -> list[bool]:
    """Tell for each core whether its own evidence refutes it over the region at its place."""
    return [
        margin > 0.0 and (margin == np.inf) == (core.margin == np.inf)
        for core, margin in zip(cores, tree.margins(cores).tolist(), strict=True)
    ]


def _key(atom: int | Neuron | tuple[int, float]) -> tuple[object, ...]:
    match atom:
        case Neuron(layer, index):
            return ("phase", layer, index)
        case int():
            return ("case", atom)
        case _:
            return ("input", *atom)
