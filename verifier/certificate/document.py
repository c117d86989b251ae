# SPDX-License-Identifier: Apache-2.0
"""The certificate as typed values, or the reason why it is not one.

What leaves this module has the right types, finite numbers of bounded length, and indices that are
in range for the network and the property. What the values *mean* is left to the checker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier.certificate.core_bound import Multipliers
from verifier.certificate.exact_core import ExactMultipliers
from verifier.certificate.regions import Tightened
from verifier.certificate.values import (
    RejectedError,
    as_fields,
    as_index,
    as_nonnegative,
    as_sequence,
    described,
    number,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from verifier.certificate.values import Number
    from verifier.spec.property import Property

# Fields of a core besides region and case: of kinds that have a name, and of the usual kind.
_CORE_FIELDS = {"empty": ("empty",), "exact": ("exact", "rows", "masses")}
_USUAL_FIELDS = ("rows", "neurons", "masses")


@dataclass(frozen=True)
class CaseAtom:
    """A case of the property has a solution here."""

    case: int


@dataclass(frozen=True)
class PhaseAtom:
    """The preactivation of a neuron is at least 0."""

    layer: int
    index: int


@dataclass(frozen=True)
class ThresholdAtom:
    """An input is at most a value."""

    index: int
    value: Fraction


Atom = CaseAtom | PhaseAtom | ThresholdAtom


@dataclass(frozen=True)
class RegionEntry:
    """A region: a root, with ``case`` and ``slopes``, or a child, with ``parent`` and ``literals``.

    ``parent`` is -1 for a root, which has no literals; ``case`` is -1 for a child. A root may have
    been tightened; a child may keep its parent's bounds, only cut with its phases.
    """

    parent: int
    literals: tuple[int, ...]
    case: int
    slopes: tuple[Mapping[int, Number], ...]
    alphas: tuple[frozenset[int], ...]
    tightened: tuple[Tightened, ...] = ()
    is_kept: bool = False


@dataclass(frozen=True)
class CoreEntry:
    """A core; no multipliers where it claims that the region is empty."""

    region: int
    case: int
    multipliers: Multipliers[Number] | ExactMultipliers | None


@dataclass(frozen=True)
class HoldsDocument:
    """A certificate of ``holds``."""

    atoms: tuple[Atom, ...]
    regions: tuple[RegionEntry, ...]
    cores: tuple[CoreEntry, ...]
    clauses: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Shape:
    """What indices of a certificate may range over.

    Attributes:
        inputs: Number of inputs.
        layers: Number of neurons of each ReLU layer.
        constraints: Number of constraints of each case.
    """

    inputs: int
    layers: tuple[int, ...]
    constraints: tuple[int, ...]


def shape_of(layer_widths: tuple[int, ...], prop: Property) -> Shape:
    """Return the ranges for a network and a property."""
    counts = tuple(len(case.constraints) for case in prop.cases)
    return Shape(prop.input_width, layer_widths, counts)


def read_holds(document: Mapping[str, Any], shape: Shape) -> HoldsDocument:
    """Return the content of a certificate of ``holds``.

    Raises:
        RejectedError: Something is missing, has the wrong type or is out of range.
    """
    atoms = tuple(
        _atom(value, f"atom {n}", shape) for n, value in enumerate(_list(document, "atoms"))
    )
    _check_distinct(atoms)
    regions = tuple(
        _region(value, n, atoms, shape) for n, value in enumerate(_list(document, "regions"))
    )
    cores = tuple(
        _core(value, f"core {n}", len(regions), shape)
        for n, value in enumerate(_list(document, "cores"))
    )
    clauses = tuple(
        tuple(_literal(v, len(atoms), f"clause {n}") for v in as_sequence(value, f"clause {n}"))
        for n, value in enumerate(_list(document, "clauses"))
    )
    return HoldsDocument(atoms, regions, cores, clauses)


def read_point(document: Mapping[str, Any], width: int) -> tuple[Fraction, ...]:
    """Return the point of a certificate of ``violated``.

    Raises:
        RejectedError: It is missing, or not ``width`` numbers.
    """
    values = _list(document, "point")
    if len(values) != width:
        msg = f"point: {len(values)} numbers for {width} inputs"
        raise RejectedError(msg)
    return tuple(number(value, f"point, entry {i}") for i, value in enumerate(values))


def _list(document: Mapping[str, Any], key: str) -> Sequence[Any]:
    if key not in document:
        msg = f"the field {key!r} is missing"
        raise RejectedError(msg)
    return as_sequence(document[key], key)


def _literal(value: Any, variables: int, place: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= abs(value) <= variables:
        return value
    msg = f"{place}: {described(value)} is not a literal over {variables} atoms"
    raise RejectedError(msg)


def _atom(value: Any, place: str, shape: Shape) -> Atom:
    kind = value[0] if isinstance(value, list | tuple) and value else None
    if kind == "case" and isinstance(kind, str):
        _, case = as_sequence(value, place, 2)
        return CaseAtom(as_index(case, len(shape.constraints), f"{place}, case"))
    if kind == "phase" and isinstance(kind, str):
        return PhaseAtom(*_neuron(as_sequence(value, place, 3)[1:], place, shape))
    if kind == "at_most" and isinstance(kind, str):
        _, index, threshold = as_sequence(value, place, 3)
        return ThresholdAtom(
            as_index(index, shape.inputs, f"{place}, input"),
            number(threshold, f"{place}, threshold"),
        )
    msg = f"{place}: neither a 'case' nor a 'phase' nor an 'at_most' atom"
    raise RejectedError(msg)


def _neuron(values: Sequence[Any], place: str, shape: Shape) -> tuple[int, int]:
    layer = as_index(values[0], len(shape.layers), f"{place}, layer")
    return layer, as_index(values[1], shape.layers[layer], f"{place}, index")


def _check_distinct(atoms: Sequence[Atom]) -> None:
    first: dict[Atom, int] = {}
    for number_, atom in enumerate(atoms):
        if first.setdefault(atom, number_) != number_:
            msg = f"atom {number_} repeats atom {first[atom]}"
            raise RejectedError(msg)


def _region(value: Any, position: int, atoms: Sequence[Atom], shape: Shape) -> RegionEntry:
    place = f"region {position}"
    is_root = isinstance(value, Mapping) and "case" in value
    own = {"case", "slopes"} if is_root else {"literals"}
    more = "tightened" if is_root else "kept"
    if isinstance(value, Mapping) and more in value:
        own.add(more)
    fields = as_fields(value, place, {"parent", "alpha"} | own)
    alphas = tuple(
        _distinct_indices(layer, width, f"{place}, alpha, layer {n}")
        for n, (layer, width) in enumerate(
            zip(
                as_sequence(fields["alpha"], f"{place}, alpha", len(shape.layers)),
                shape.layers,
                strict=True,
            )
        )
    )
    if not is_root:
        parent = as_index(fields["parent"], position, f"{place}, parent")
        literals = tuple(
            _literal(value, len(atoms), f"{place}, literals")
            for value in as_sequence(fields["literals"], f"{place}, literals")
        )
        for literal in literals:
            if isinstance(atoms[abs(literal) - 1], CaseAtom):
                msg = f"{place}, literals: {literal} is a case, which cuts no region"
                raise RejectedError(msg)
        if fields.get("kept", True) is not True:
            msg = f"{place}, kept: {described(fields['kept'])} is not true"
            raise RejectedError(msg)
        return RegionEntry(parent, literals, -1, (), alphas, (), "kept" in fields)
    if fields["parent"] is not None:
        msg = f"{place}, parent: a root has null, not {described(fields['parent'])}"
        raise RejectedError(msg)
    case = as_index(fields["case"], len(shape.constraints), f"{place}, case")
    slopes = _slopes(fields["slopes"], place, shape)
    tightened = _tightened(fields["tightened"], place, shape) if "tightened" in fields else ()
    return RegionEntry(-1, (), case, slopes, alphas, tightened)


def _tightened(value: Any, place: str, shape: Shape) -> tuple[Tightened, ...]:
    tightened = []
    layers = as_sequence(value, f"{place}, tightened", len(shape.layers))
    for layer, (entry, width) in enumerate(zip(layers, shape.layers, strict=True)):
        where = f"{place}, tightened, layer {layer}"
        neurons, names, *sides = as_sequence(entry, where, 4)
        _distinct_indices(neurons, width, where)
        before: dict[tuple[int, int], None] = {}
        for name in as_sequence(names, where):
            before[_new_key(as_sequence(name, where, 2), where, shape, before)] = None
        rows = [row for side in sides for row in as_sequence(side, where, len(neurons))]
        slopes = [
            [as_nonnegative(slope, where, most=1) for slope in as_sequence(row, where, len(before))]
            for row in rows
        ]
        tightened.append(Tightened(tuple(neurons), tuple(before), slopes))
    return tuple(tightened)


def _distinct_indices(value: Any, width: int, place: str) -> frozenset[int]:
    indices = [as_index(entry, width, place) for entry in as_sequence(value, place)]
    distinct = frozenset(indices)
    if len(distinct) != len(indices):
        msg = f"{place}: an index is given twice"
        raise RejectedError(msg)
    return distinct


def _slopes(value: Any, place: str, shape: Shape) -> tuple[Mapping[int, Number], ...]:
    slopes = []
    layers = as_sequence(value, f"{place}, slopes", len(shape.layers))
    for layer, (pair, width) in enumerate(zip(layers, shape.layers, strict=True)):
        where = f"{place}, slopes, layer {layer}"
        indices, values = as_sequence(pair, where, 2)
        _distinct_indices(indices, width, where)
        values = as_sequence(values, where, len(indices))
        numbers = [as_nonnegative(v, where, most=1) for v in values]
        slopes.append(dict(zip(indices, numbers, strict=True)))
    return tuple(slopes)


def _core(value: Any, place: str, region_count: int, shape: Shape) -> CoreEntry:
    kind = next((kind for kind in _CORE_FIELDS if isinstance(value, Mapping) and kind in value), "")
    fields = as_fields(value, place, {"region", "case", *_CORE_FIELDS.get(kind, _USUAL_FIELDS)})
    region = as_index(fields["region"], region_count, f"{place}, region")
    case = as_index(fields["case"], len(shape.constraints), f"{place}, case")
    if kind and fields[kind] is not True:
        msg = f"{place}, {kind}: {described(fields[kind])} is not true"
        raise RejectedError(msg)
    if kind == "empty":
        return CoreEntry(region, case, None)
    rows = as_sequence(fields["rows"], f"{place}, rows", shape.constraints[case])
    weights = tuple(as_nonnegative(w, f"{place}, row {n}") for n, w in enumerate(rows))
    masses = _masses(fields["masses"], place, shape)
    if kind == "exact":
        # Sums of fractions with foreign denominators grow without bound; a core may be scaled.
        if any(value % 1 for value in (*weights, *masses.values())):
            msg = f"{place}: an exact core has whole numbers only"
            raise RejectedError(msg)
        exact = Multipliers(weights, {}, masses).as_fractions()
        return CoreEntry(region, case, ExactMultipliers(exact.rows, exact.masses))
    neurons: dict[tuple[int, int], tuple[Number, Number]] = {}
    for n, entry in enumerate(as_sequence(fields["neurons"], f"{place}, neurons")):
        where = f"{place}, neuron {n}"
        key = _new_key(as_sequence(entry, where, 4), where, shape, neurons)
        slope = as_nonnegative(entry[2], f"{where}, alpha", most=1)
        neurons[key] = (slope, as_nonnegative(entry[3], f"{where}, q"))
    return CoreEntry(region, case, Multipliers(weights, neurons, masses))


def _masses(value: Any, place: str, shape: Shape) -> dict[tuple[int, int], Number]:
    masses: dict[tuple[int, int], Number] = {}
    for n, entry in enumerate(as_sequence(value, f"{place}, masses")):
        where = f"{place}, mass {n}"
        key = _new_key(as_sequence(entry, where, 3), where, shape, masses)
        masses[key] = as_nonnegative(entry[2], where)
    return masses


def _new_key(
    entry: Sequence[Any], place: str, shape: Shape, taken: Mapping[tuple[int, int], Any]
) -> tuple[int, int]:
    key = _neuron(entry, place, shape)
    if key in taken:
        msg = f"{place}: neuron {key} is given twice"
        raise RejectedError(msg)
    return key
