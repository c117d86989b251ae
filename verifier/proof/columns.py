# SPDX-License-Identifier: Apache-2.0
"""The cores and leaves of a proof as flat columns: the form in which they are stored.

What thousands of cores consist of stands in a few long arrays, core after core, each with the
number of entries that belong to it. So reading is a matter of checking whole arrays and of cutting
them: objects are made of parts of shared arrays, and none of them is checked by itself.

A path is a list of *signed atoms*, ``2 atom + sign``. The first atoms are the phases of all
neurons, numbered layer after layer; the others are the half-spaces in the table of cuts. Paths are
stored once, in the order in which cores and then leaves first use them.

Columns come from a file that anyone may have written. Every number is checked before it is used:
lengths before anything is cut, indices before anything is looked up, ranges before anything is
evaluated; written so that NaN does not pass. That a proof reads well does not make it true.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.ir.graph import Neuron
from verifier.proof.literals import HalfSpace, Literal, Path, Phase
from verifier.proof.muc import Core, Leaf, Multipliers
from verifier.proof.parts import Parts, fail

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Column = NDArray[Any]
    Columns = Mapping[str, Column]

COLUMNS = {
    "cut_input": "<u4",
    "cut_threshold": "<f8",
    "path_length": "<u4",
    "path_atom": "<u4",
    "core_case": "<u4",
    "core_path": "<u4",
    "core_margin": "<f8",
    "core_has": "u1",
    "leaf_core": "<u4",
    "leaf_path": "<u4",
    "leaf_has": "u1",
    "row_count": "<u4",
    "row_weight": "<f4",
    "line_count": "<u4",
    "line_neuron": "<u4",
    "line_alpha": "<f4",
    "line_q": "<f4",
    "mass_count": "<u4",
    "mass_neuron": "<u4",
    "mass": "<f4",
}
"""The columns in the order in which they are stored, with the type of their entries. ``core_has``
and ``leaf_has`` are 1 where there are multipliers; those of the cores come first, then those of
leaves."""

MOST_OBJECTS = 1 << 22
"""Most paths, cores or leaves: an object takes far more memory than its entry in a file."""


def columns_of(
    cores: Sequence[Core], leaves: Sequence[Leaf], widths: Sequence[int]
) -> dict[str, Column]:
    """Return the columns of a proof of a network with so many neurons in each ReLU layer."""
    paths = dict.fromkeys([*(core.path for core in cores), *(leaf.path for leaf in leaves)])
    place = {path: number for number, path in enumerate(paths)}
    cuts = sorted(
        {(x.input, x.threshold) for path in paths for x in path if isinstance(x, HalfSpace)}
    )
    atoms = _Atoms(widths, cuts)
    owners: list[Core | Leaf] = [*cores, *leaves]
    evidence = [owner.multipliers for owner in owners if owner.multipliers is not None]
    found: dict[str, Any] = {
        "cut_input": [index for index, _ in cuts],
        "cut_threshold": [threshold for _, threshold in cuts],
        "path_length": [len(path) for path in paths],
        "path_atom": [atoms.signed(literal) for path in paths for literal in path],
        "core_case": [core.case for core in cores],
        "core_path": [place[core.path] for core in cores],
        "core_margin": [core.margin for core in cores],
        "core_has": [core.multipliers is not None for core in cores],
        "leaf_core": [leaf.core for leaf in leaves],
        "leaf_path": [place[leaf.path] for leaf in leaves],
        "leaf_has": [leaf.multipliers is not None for leaf in leaves],
        "row_count": [len(part.rows) for part in evidence],
        "row_weight": _joined(part.rows for part in evidence),
        "line_count": [len(part.neurons) for part in evidence],
        "line_neuron": _joined(part.neurons for part in evidence),
        "line_alpha": _joined(part.alpha for part in evidence),
        "line_q": _joined(part.q for part in evidence),
        "mass_count": [len(part.literals) for part in evidence],
        "mass_neuron": _joined(part.literals for part in evidence),
        "mass": _joined(part.masses for part in evidence),
    }
    return {name: np.array(found[name], dtype=kind) for name, kind in COLUMNS.items()}


def _joined(parts: Iterable[Column]) -> Column:
    return np.concatenate([np.zeros(0), *parts])


class _Atoms:
    """The atoms of paths, and the numbers of their literals."""

    def __init__(self, widths: Sequence[int], cuts: Sequence[tuple[int, float]]) -> None:
        self._starts = list(accumulate(widths, initial=0))
        self._cuts = cuts
        self._place = {cut: self._starts[-1] + number for number, cut in enumerate(cuts)}

    def __len__(self) -> int:
        return self._starts[-1] + len(self._cuts)

    def signed(self, literal: Literal) -> int:
        if isinstance(literal, Phase):
            layer, index = literal.neuron
            return 2 * (self._starts[layer] + index) + literal.active
        return 2 * self._place[literal.input, literal.threshold] + literal.below

    def literal(self, signed: int) -> Literal:
        atom, sign = signed >> 1, bool(signed & 1)
        if atom >= self._starts[-1]:
            return HalfSpace(*self._cuts[atom - self._starts[-1]], sign)
        layer = bisect_right(self._starts, atom) - 1
        return Phase(Neuron(layer, atom - self._starts[layer]), sign)


def cores_and_leaves(
    columns: Columns, widths: Sequence[int]
) -> tuple[tuple[Core, ...], tuple[Leaf, ...]]:
    """Return what columns stand for.

    Raises:
        ValueError: They stand for nothing; the message names the place.
    """
    for name in ("path_length", "core_case", "leaf_core"):
        if len(columns[name]) > MOST_OBJECTS:
            fail(f"{len(columns[name])} entries of {name}, more than {MOST_OBJECTS}")
    paths = _paths(columns, widths)
    evidence = _evidence(columns, sum(widths))
    cores, leaves = _rows(columns, "core"), _rows(columns, "leaf")
    cores.check(columns["core_path"] < len(paths), "its path does not exist")
    leaves.check(columns["leaf_path"] < len(paths), "its path does not exist")
    leaves.check(columns["leaf_core"] < len(columns["core_case"]), "its core does not exist")
    cores.check(columns["core_margin"] >= 0.0, "its margin is not at least 0")
    flags = np.concatenate([columns["core_has"], columns["leaf_has"]])
    if (flags > 1).any() or flags.sum(dtype=np.int64) != len(evidence):
        fail(f"not every one of {len(evidence)} multipliers belongs to a core or a leaf")
    own = iter(evidence)
    return (
        tuple(
            Core(case, paths[path], next(own) if has else None, margin)
            for case, path, margin, has in _zipped(columns, "core", "case", "path", "margin", "has")
        ),
        tuple(
            Leaf(paths[path], core, next(own) if has else None)
            for path, core, has in _zipped(columns, "leaf", "path", "core", "has")
        ),
    )


def _rows(columns: Columns, what: str) -> Parts:
    """Return the columns of cores or leaves as parts of one entry each; they are equally long."""
    names = [name for name in COLUMNS if name.startswith(f"{what}_")]
    lengths = {len(columns[name]) for name in names}
    if len(lengths) > 1:
        fail(f"the columns {', '.join(names)} have different lengths")
    return Parts(what, np.arange(max(lengths) + 1))


def _zipped(columns: Columns, what: str, *names: str) -> Iterable[tuple[Any, ...]]:
    return zip(*(columns[f"{what}_{name}"].tolist() for name in names), strict=True)


def _paths(columns: Columns, widths: Sequence[int]) -> list[Path]:
    inputs, thresholds = columns["cut_input"], columns["cut_threshold"]
    if len(inputs) != len(thresholds):
        fail("the columns cut_input and cut_threshold have different lengths")
    cuts = Parts("cut", np.arange(len(inputs) + 1))
    cuts.check(np.isfinite(thresholds), "its threshold is not finite")
    rises = (inputs[1:] > inputs[:-1]) | (
        (inputs[1:] == inputs[:-1]) & (thresholds[1:] > thresholds[:-1])
    )
    cuts.check(np.concatenate([[True], rises])[: len(inputs)], "it is not above the one before it")
    atoms = _Atoms(widths, list(zip(inputs.tolist(), thresholds.tolist(), strict=True)))
    signed = columns["path_atom"]
    paths = Parts.of(columns["path_length"], len(signed), "path")
    paths.check(signed >> 1 < len(atoms), "a literal of it is about nothing")
    _check_decided_once(paths, signed >> 1, len(atoms))
    is_used = np.zeros(2 * len(atoms), dtype=np.bool_)
    is_used[signed] = True
    literals = {number: atoms.literal(number) for number in np.flatnonzero(is_used).tolist()}
    flat = [literals[number] for number in signed.tolist()]
    return [tuple(flat[start:end]) for start, end in pairwise(paths.ends.tolist())]


def _check_decided_once(paths: Parts, atoms: Column, count: int) -> None:
    # No search decides twice, and certificates have no room for it.
    keys = np.sort(paths.owners() * count + atoms)
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if len(twice):
        fail(f"path {keys[twice[0]] // count}: it decides a phase or a half-space twice")


def _evidence(columns: Columns, neurons: int) -> list[Multipliers]:
    counts = [columns[f"{name}_count"] for name in ("row", "line", "mass")]
    if len({len(column) for column in counts}) > 1:
        fail("the columns row_count, line_count and mass_count have different lengths")
    weights, masses = _numbers(columns["row_weight"]), _numbers(columns["mass"])
    alpha, q = _numbers(columns["line_alpha"]), _numbers(columns["line_q"])
    numbers, literals = columns["line_neuron"], columns["mass_neuron"]
    if not len(numbers) == len(alpha) == len(q) or len(literals) != len(masses):
        fail("the columns of lines, or of masses, have different lengths")
    rows = Parts.of(counts[0], len(weights), "multipliers")
    rows.check(_is_finite(weights), "a row's weight is not a finite number of at least 0")
    lines = Parts.of(counts[1], len(numbers), "multipliers")
    lines.check(numbers < neurons, "no such neuron")
    lines.check_rising(numbers, "its neurons are not in ascending order")
    lines.check((alpha >= 0.0) & (alpha <= 1.0), "a slope is not in [0, 1]")
    lines.check(_is_finite(q), "a mass is not a finite number of at least 0")
    phases = Parts.of(counts[2], len(literals), "multipliers")
    phases.check(literals < neurons, "no such neuron")
    phases.check_rising(literals, "its literals are not in ascending order")
    phases.check(_is_finite(masses), "a literal's mass is not a finite number of at least 0")
    parts = (
        rows.cut(weights),
        *(lines.cut(column) for column in (numbers.astype(np.intp), alpha, q)),
        *(phases.cut(column) for column in (literals.astype(np.intp), masses)),
    )
    return [Multipliers(*part) for part in zip(*parts, strict=True)]


def _numbers(column: Column) -> NDArray[np.float64]:
    return column.astype(np.float64)


def _is_finite(values: Column) -> NDArray[np.bool_]:
    """Tell which values are finite and at least 0."""
    is_right: NDArray[np.bool_] = (values >= 0.0) & (values < np.inf)
    return is_right
