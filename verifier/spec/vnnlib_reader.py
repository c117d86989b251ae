# SPDX-License-Identifier: Apache-2.0
"""Reads properties in VNN-LIB, version 1.0 here and 2.0 in ``vnnlib2_reader``.

A file of version 1.0 declares inputs ``X_0, X_1, ...`` and outputs ``Y_0, Y_1, ...`` and asserts
what together *violates* the property: comparisons of linear terms under ``and``, ``or`` and
``not``. The text goes through four steps, each in its module: s-expressions, linear terms,
formulas, cases. Numbers are the rationals that the text denotes; nothing is rounded. A text that
starts with its version, or with a network, is of version 2.0.

Everything that the file says is either modelled exactly or an error with file, line and column.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from typing import TYPE_CHECKING

from verifier.errors import PropertyError, UnsupportedError
from verifier.spec.dialect import VERSION_1
from verifier.spec.disjunctive_form import cases_of
from verifier.spec.element_types import REAL
from verifier.spec.formula import AllOf, read_formula
from verifier.spec.linear_term import TermReader, Variable
from verifier.spec.property import Property
from verifier.spec.query import NetworkDeclaration, Query, Tensor
from verifier.spec.reader_limits import DEFAULT_LIMITS, ReaderLimits
from verifier.spec.s_expression import Atom, Source, groups, shown
from verifier.spec.vnnlib2_reader import asserted_in_text, parse_text, read_query_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verifier.ir.graph import Graph
    from verifier.spec.s_expression import Expression, Group

__all__ = [
    "ReaderLimits",
    "asserted",
    "check_fits",
    "parse_query",
    "parse_vnnlib",
    "read_query",
    "read_vnnlib",
    "text_of",
]

_GZIP_MAGIC = b"\x1f\x8b"
_NAME = re.compile(r"([XY])_(0|[1-9][0-9]{0,8})")
_VERSION_2 = re.compile(r"(?:\s|;[^\n]*)*+\(\s*(?:vnnlib-version|declare-network)\b")


def read_vnnlib(path: Path, limits: ReaderLimits = DEFAULT_LIMITS) -> Property:
    """Read a property of one network from a file, which may be compressed with gzip.

    Raises:
        PropertyError: The file cannot be read, is malformed or exceeds a limit.
        UnsupportedError: The file says something that is not modelled, or speaks of several
            networks or of hidden nodes.
    """
    return _of_one_network(read_query(path, limits), str(path))


def parse_vnnlib(
    text: str, source: str = "<string>", limits: ReaderLimits = DEFAULT_LIMITS
) -> Property:
    """Read a property of one network from a text.

    Args:
        text: The property in VNN-LIB.
        source: What to call the text in messages.
        limits: What the text may ask of the machine.

    Raises:
        PropertyError: The text is malformed or exceeds a limit.
        UnsupportedError: The text says something that is not modelled, or speaks of several
            networks or of hidden nodes.
    """
    return _of_one_network(parse_query(text, source, limits), source)


def read_query(path: Path, limits: ReaderLimits = DEFAULT_LIMITS) -> Query:
    """Read a query from a file, which may be compressed with gzip.

    Raises:
        PropertyError: The file cannot be read, is malformed or exceeds a limit.
        UnsupportedError: The file says something that is not modelled.
    """
    return parse_query(_text(path, limits), str(path), limits)


def parse_query(
    text: str, source: str = "<string>", limits: ReaderLimits = DEFAULT_LIMITS
) -> Query:
    """Read a query from a text; a text of version 1.0 has one network without a name.

    Raises:
        PropertyError: The text is malformed or exceeds a limit.
        UnsupportedError: The text says something that is not modelled.
    """
    if _VERSION_2.match(text) is None:
        return _parse_version_1(Source(source, text), limits)
    return read_query_text(parse_text(Source(source, text), limits), limits)


def _of_one_network(query: Query, source: str) -> Property:
    what = ""
    if len(query.networks) > 1:
        what = f"speaks of {len(query.networks)} networks"
    elif query.networks[0].hidden:
        what = f"speaks of a hidden node, {query.networks[0].hidden[0].name}"
    if what:
        msg = (
            f"{source}: {what}; supported here: inputs and outputs of one network; "
            "`mucg4 verify` takes such queries"
        )
        raise UnsupportedError(msg)
    return query.property


def _text(path: Path, limits: ReaderLimits) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(limits.file_bytes + 1)
        if content.startswith(_GZIP_MAGIC):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as unpacked:
                content = unpacked.read(limits.file_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path}: cannot be read: {error}"
        raise PropertyError(msg) from error
    if len(content) > limits.file_bytes:
        msg = f"{path}: the text is longer than {limits.file_bytes} bytes (limit 'file_bytes')"
        raise PropertyError(msg)
    return text_of(content, str(path))


def text_of(content: bytes, source: str) -> str:
    """Return the text of a file that is not compressed.

    Raises:
        PropertyError: It is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{source}: not UTF-8 text: {error}"
        raise PropertyError(msg) from error


def asserted(
    source: Source, limits: ReaderLimits = DEFAULT_LIMITS
) -> Iterator[tuple[TermReader, Expression]]:
    """Yield the expressions that a text asserts, in order, each with what reads its terms.

    Raises:
        PropertyError: The text is malformed or exceeds a limit.
        UnsupportedError: The text says something that is not modelled.
    """
    if _VERSION_2.match(source.text) is None:
        return _asserted_in_version_1(source, limits, {})
    return asserted_in_text(parse_text(source, limits), limits)


def _parse_version_1(source: Source, limits: ReaderLimits) -> Query:
    variables: dict[str, Variable] = {}
    formula = AllOf(
        tuple(
            read_formula(terms, expression)
            for terms, expression in _asserted_in_version_1(source, limits, variables)
        )
    )
    inputs = _width(source, variables, is_output=False)
    outputs = _width(source, variables, is_output=True)
    cases = cases_of(formula, inputs, source.name, limits, "X_{}".format)
    tensors = ((Tensor("X", REAL, (inputs,)),), (), (Tensor("Y", REAL, (outputs,)),))
    network = NetworkDeclaration("", *tensors)
    return Query(1, (network,), range(inputs), Property(inputs, outputs, cases))


def _asserted_in_version_1(
    source: Source, limits: ReaderLimits, variables: dict[str, Variable]
) -> Iterator[tuple[TermReader, Expression]]:
    """Yield what is asserted; what is declared goes into ``variables`` on the way."""
    terms = TermReader(source, VERSION_1, limits, lambda atom: variables.get(atom.text))
    for group in groups(source, VERSION_1, limits):
        match group.head:
            case "declare-const":
                _declare(source, group, variables)
            case "assert":
                yield terms, _operand(source, group)
            case "":
                raise source.malformed(group.offset, "a command starts with its name")
            case head:
                msg = f"the command {shown(head)} is not supported; supported: declare-const assert"
                raise source.unsupported(group.offset, msg)


def check_fits(prop: Property, graph: Graph) -> None:
    """Check that a property speaks of as many inputs and outputs as a network has.

    Raises:
        PropertyError: It does not.
    """
    widths = (
        ("inputs", prop.input_width, graph.input_width),
        ("outputs", prop.output_width, graph.output_width),
    )
    for what, declared, actual in widths:
        if declared != actual:
            msg = f"the property declares {declared} {what}, the network has {actual}"
            raise PropertyError(msg)


def _declare(source: Source, group: Group, variables: dict[str, Variable]) -> None:
    items = group.items
    if len(items) != 3:
        msg = f"'declare-const' needs a name and a sort, here it has {len(items) - 1} operands"
        raise source.malformed(group.offset, msg)
    _, name, sort = items
    if not isinstance(name, Atom):
        raise source.malformed(name.offset, "the name of a constant is a symbol")
    if not isinstance(sort, Atom) or sort.text != "Real":
        raise source.unsupported(sort.offset, "the only sort supported is Real")
    match = _NAME.fullmatch(name.text)
    if match is None:
        msg = f"{shown(name.text)} is neither an input X_<number> nor an output Y_<number>"
        raise source.unsupported(name.offset, msg)
    if name.text in variables:
        raise source.malformed(name.offset, f"{name.text} is declared twice")
    variables[name.text] = Variable(is_output=match[1] == "Y", position=int(match[2]))


def _operand(source: Source, group: Group) -> Expression:
    if len(group.items) != 2:
        msg = f"'assert' needs one operand, here it has {len(group.items) - 1}"
        raise source.malformed(group.offset, msg)
    return group.items[1]


def _width(source: Source, variables: dict[str, Variable], *, is_output: bool) -> int:
    """Return the number of inputs or outputs; their indices must count from 0 without a gap."""
    what, letter = ("output", "Y") if is_output else ("input", "X")
    indices = {v.position for v in variables.values() if v.is_output == is_output}
    if not indices:
        msg = f"{source.name}: declares no {what} {letter}_0"
        raise PropertyError(msg)
    missing = next(i for i in range(len(indices) + 1) if i not in indices)
    if missing < len(indices):
        msg = f"{what} {letter}_{missing} is not declared, but {letter}_{max(indices)} is"
        msg = f"{source.name}: {msg}"
        raise PropertyError(msg)
    return len(indices)
