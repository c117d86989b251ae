# SPDX-License-Identifier: Apache-2.0
"""Reads queries in VNN-LIB 2.0.

First the text as such: version, networks, assertions, in this order. Then what is asserted, in the
same steps as for version 1.0. Variables of type real are modelled; the other element types ask for
the arithmetic of a computer, for which no verdict is given here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verifier.spec.declarations import index_number, read_network, split_index
from verifier.spec.dialect import VERSION_2
from verifier.spec.disjunctive_form import cases_of
from verifier.spec.element_types import REAL
from verifier.spec.formula import AllOf, read_formula
from verifier.spec.linear_term import TermReader, Variable
from verifier.spec.property import Property
from verifier.spec.query import Query, Row
from verifier.spec.s_expression import Atom, Group, groups, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from verifier.spec.query import NetworkDeclaration, Tensor
    from verifier.spec.reader_limits import ReaderLimits
    from verifier.spec.s_expression import Expression, Source

_MAJOR = "2"


@dataclass(frozen=True)
class QueryText:
    """A text whose form is right.

    Attributes:
        source: The text.
        minor: Its minor version.
        networks: What it declares.
        assertions: What it asserts, unread.
    """

    source: Source
    minor: int
    networks: tuple[NetworkDeclaration, ...]
    assertions: tuple[Group, ...]


def parse_text(source: Source, limits: ReaderLimits) -> QueryText:
    """Read version and declarations of a text, and find its assertions.

    Raises:
        PropertyError: The text is malformed or exceeds a limit.
        UnsupportedError: It is of another major version.
    """
    minor: int | None = None
    networks: list[NetworkDeclaration] = []
    assertions: list[Group] = []
    for group in groups(source, VERSION_2, limits):
        match group.head:
            case "vnnlib-version" if minor is None:
                minor = _minor(source, group)
            case _ if minor is None:
                raise source.malformed(group.offset, "the text starts with (vnnlib-version <2.0>)")
            case "declare-network" if not assertions:
                networks.append(read_network(source, group, networks, limits))
            case "assert" if networks:
                if len(group.items) != 2:
                    msg = f"'assert' needs one operand, here it has {len(group.items) - 1}"
                    raise source.malformed(group.offset, msg)
                assertions.append(group)
            case head:
                msg = (
                    f"{shown(head)} does not stand here; a text has its version, then "
                    "declare-network once or more, then assert once or more"
                )
                raise source.malformed(group.offset, msg)
    if minor is None or not assertions:
        what = "no version" if minor is None else "no assertion"
        raise source.malformed(len(source.text), f"the text ends, and there is {what}")
    return QueryText(source, minor, tuple(networks), tuple(assertions))


def _minor(source: Source, group: Group) -> int:
    token = group.items[1] if len(group.items) == 2 else group
    if not isinstance(token, Atom) or not token.text.startswith("<") or len(token.text) > 20:
        raise source.malformed(group.offset, "the version is written as <2.0>")
    major, _, minor = token.text.strip("<>").partition(".")
    if major.lstrip("0") != _MAJOR:
        msg = f"version {token.text} is not supported; supported: <2.0>, and 1.0 without a version"
        raise source.unsupported(token.offset, msg)
    return int(minor)


def read_query_text(text: QueryText, limits: ReaderLimits) -> Query:
    """Return what a text asks.

    Raises:
        PropertyError: An assertion is malformed, a limit is exceeded, or an input has no bound.
        UnsupportedError: The text says something that is not modelled.
    """
    rows = _Rows.of(text)
    count = len(set(rows.shared))
    first: dict[int, int] = {}
    for entry, position in enumerate(rows.shared):
        first.setdefault(position, entry)
    terms = TermReader(text.source, VERSION_2, limits, rows.variable)
    formula = AllOf(tuple(read_formula(terms, group.items[1]) for group in text.assertions))
    name = text.source.name
    cases = cases_of(formula, count, name, limits, lambda i: rows.inputs.entry(first[i]))
    prop = Property(count, rows.results.width, cases)
    return Query(2, text.networks, tuple(rows.shared), prop)


def asserted_in_text(
    text: QueryText, limits: ReaderLimits
) -> Iterator[tuple[TermReader, Expression]]:
    """Yield the expressions that a text asserts, in order, each with what reads its terms.

    Raises:
        UnsupportedError: The text declares something that is not modelled.
    """
    terms = TermReader(text.source, VERSION_2, limits, _Rows.of(text).variable)
    for group in text.assertions:
        yield terms, group.items[1]


@dataclass(frozen=True)
class _Rows:
    """All inputs and all results of a text, each in a row.

    Attributes:
        inputs: The entries of all inputs.
        results: The entries of all outputs and hidden nodes.
        names: Which of them a token names.
        shared: For each input entry, which input it is.
    """

    inputs: Row
    results: Row
    names: _Names
    shared: Sequence[int]

    @classmethod
    def of(cls, text: QueryText) -> _Rows:
        inputs = Row(tuple(t for network in text.networks for t in network.inputs))
        results = Row(tuple(t for network in text.networks for t in network.results))
        _check_modelled(text.source, (*inputs.tensors, *results.tensors))
        names = _Names.of(text.source, inputs, results)
        shared: Sequence[int] = range(inputs.width)
        if len(text.networks) > 1:
            shared = _shared(names, text.assertions, inputs.width)
        return cls(inputs, results, names, shared)

    def variable(self, atom: Atom) -> Variable | None:
        found = self.names.entry(atom)
        if found is None or found.is_output:
            return found
        return Variable(is_output=False, position=self.shared[found.position])


def _check_modelled(source: Source, tensors: Sequence[Tensor]) -> None:
    for tensor in tensors:
        if tensor.element_type != REAL:
            msg = (
                f"{tensor.name} is of type {tensor.element_type}, which asks for its arithmetic; "
                "verdicts are for real arithmetic; supported: Real"
            )
            raise source.unsupported(tensor.offset, msg)
        if tensor.is_initialized:
            msg = f"{tensor.name} takes its value from the ONNX file; supported: free inputs"
            raise source.unsupported(tensor.offset, msg)


@dataclass(frozen=True)
class _Names:
    """The declared tensors by name, each with the number of its first entry."""

    source: Source
    tensors: dict[str, tuple[Tensor, Variable]]

    @classmethod
    def of(cls, source: Source, inputs: Row, results: Row) -> _Names:
        return cls(
            source,
            {
                tensor.name: (tensor, Variable(is_output, start))
                for row, is_output in ((inputs, False), (results, True))
                for tensor, start in zip(row.tensors, row.starts, strict=False)
            },
        )

    def entry(self, atom: Atom) -> Variable | None:
        """Return the entry that a token names; nothing where its name is not declared.

        Raises:
            PropertyError: It has not as many indices as the tensor axes, or one is too large.
        """
        name, texts = split_index(atom.text)
        if name not in self.tensors:
            return None
        tensor, start = self.tensors[name]
        indices = [index_number(self.source, atom, text) for text in texts or ()]
        if len(indices) != len(tensor.shape) or texts == ():
            msg = f"{name} has {len(tensor.shape)} axes, {shown(atom.text)} {len(indices)} indices"
            raise self.source.malformed(atom.offset, msg)
        position = 0
        for axis, (index, extent) in enumerate(zip(indices, tensor.shape, strict=True)):
            if index >= extent:
                msg = f"index {index} of {shown(atom.text)} is beyond axis {axis} of {extent}"
                raise self.source.malformed(atom.offset, msg)
            position = position * extent + index
        return Variable(start.is_output, start.position + position)


def _shared(names: _Names, assertions: Sequence[Group], width: int) -> list[int]:
    """Return for each input entry which input it is, where equal ones are asserted to be one."""
    leader = list(range(width))

    def find(entry: int) -> int:
        while leader[entry] != entry:
            leader[entry] = leader[leader[entry]]
            entry = leader[entry]
        return entry

    for left, right in _equalities(names, assertions):
        low, high = sorted((find(left), find(right)))
        leader[high] = low
    numbers: dict[int, int] = {}
    return [numbers.setdefault(find(entry), len(numbers)) for entry in range(width)]


def _equalities(names: _Names, assertions: Sequence[Group]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of inputs that are asserted to be equal, outside of any disjunction."""
    pending = [group.items[1] for group in reversed(assertions)]
    while pending:
        expression = pending.pop()
        if isinstance(expression, Atom):
            continue
        if expression.head == "and":
            pending.extend(reversed(expression.items[1:]))
        elif VERSION_2.comparisons.get(expression.head) == "=":
            sides = [names.entry(i) for i in expression.items[1:] if isinstance(i, Atom)]
            inputs = [side.position for side in sides if side and not side.is_output]
            if len(inputs) == 2 and len(expression.items) == 3:
                yield inputs[0], inputs[1]
