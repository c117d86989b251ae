# SPDX-License-Identifier: Apache-2.0
"""Reads ``declare-network`` of VNN-LIB 2.0, and checks what the standard asks of it.

A network names its equivalences first, then inputs, hidden nodes and outputs, in this order. What
two equivalent networks declare must agree, tensor by tensor.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from verifier.spec.element_types import ELEMENT_TYPES, REAL, REAL_WORDS
from verifier.spec.query import NetworkDeclaration, Tensor
from verifier.spec.s_expression import Atom, Group, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.spec.reader_limits import ReaderLimits
    from verifier.spec.s_expression import Source

_EQUIVALENCES = ("equal-to", "isomorphic-to")
_TENSORS = ("declare-input", "declare-hidden", "declare-output")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_INDEXED = re.compile(r"([A-Za-z][A-Za-z0-9_]*)[^\[]*\[(.*)\]", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,9}")
_COMMENT = re.compile(r";[^\n]*")
_RESERVED = ("and", "or")


def split_index(text: str) -> tuple[str, tuple[str, ...] | None]:
    """Return the name in a token, and the texts of its indices; nothing without brackets."""
    match = _INDEXED.fullmatch(text)
    if match is None:
        return text, None
    inside = _COMMENT.sub("", match[2]).strip()
    return match[1], tuple(part.strip() for part in inside.split(",")) if inside else ()


def index_number(source: Source, atom: Atom, text: str) -> int:
    """Return an index or extent."""
    if _NUMBER.fullmatch(text) is None:
        msg = f"{shown(text)} in {shown(atom.text)} is not a number of at most nine digits"
        raise source.malformed(atom.offset, msg)
    return int(text)


def read_network(
    source: Source, group: Group, earlier: Sequence[NetworkDeclaration], limits: ReaderLimits
) -> NetworkDeclaration:
    """Return what a ``declare-network`` declares.

    Args:
        source: The text.
        group: The command.
        earlier: The networks declared before.
        limits: What the text may ask of the machine.

    Raises:
        PropertyError: The declaration is malformed, or does not fit an earlier one.
    """
    items = group.items
    name = _name(source, items[1] if len(items) > 1 else group, "network")
    if any(network.name == name for network in earlier):
        raise source.malformed(group.offset, f"network {name} is declared twice")
    parts = _parts(source, items[2:])
    tensors = {
        head: tuple(_tensor(source, part) for part in grouped)
        for head, grouped in groupby((p for p in parts if p.head in _TENSORS), lambda p: p.head)
    }
    for head in ("declare-input", "declare-output"):
        if head not in tensors:
            raise source.malformed(group.offset, f"network {name} has no {head}")
    network = NetworkDeclaration(
        name,
        tensors["declare-input"],
        tensors.get("declare-hidden", ()),
        tensors["declare-output"],
        equal_to=_equivalence(source, parts, "equal-to"),
        isomorphic_to=_equivalence(source, parts, "isomorphic-to"),
        offset=group.offset,
    )
    _check_names(source, network, earlier, limits)
    _check_equivalences(source, network, earlier)
    return network


def _parts(source: Source, items: Sequence[Atom | Group]) -> list[Group]:
    """Return the parts of a network, which stand in a fixed order."""
    parts: list[Group] = []
    ranks = {head: max(0, number - 1) for number, head in enumerate((*_EQUIVALENCES, *_TENSORS))}
    for part in items:
        head = part.head if isinstance(part, Group) else part.text
        if head not in ranks or not isinstance(part, Group):
            msg = f"{shown(head)} stands in a network; supported: {' '.join(ranks)}"
            raise source.malformed(part.offset, msg)
        if parts and ranks[head] < ranks[parts[-1].head]:
            msg = "a network has its equivalences first, then inputs, hidden nodes, outputs"
            raise source.malformed(part.offset, msg)
        parts.append(part)
    return parts


def _name(source: Source, item: Atom | Group, what: str) -> str:
    if not isinstance(item, Atom) or _NAME.fullmatch(item.text) is None or item.text in _RESERVED:
        msg = f"the name of a {what} is a letter, then letters, digits and underscores"
        raise source.malformed(item.offset, msg)
    return item.text


def _equivalence(source: Source, parts: Sequence[Group], head: str) -> str:
    found = [part for part in parts if part.head == head]
    if not found:
        return ""
    if len(found) > 1 or len(found[0].items) != 2:
        msg = f"{head!r} names one network, and occurs once"
        raise source.malformed(found[-1].offset, msg)
    return _name(source, found[0].items[1], "network")


def _tensor(source: Source, group: Group) -> Tensor:
    is_hidden = group.head == "declare-hidden"
    items = group.items[1:]
    is_initialized = group.head == "declare-input" and _is_word(items[-1:], "initialized")
    if is_initialized:
        items = items[:-1]
    if len(items) != (4 if is_hidden else 3) - 1:
        needs = "name, type[shape] and a quoted node name" if is_hidden else "name and type[shape]"
        msg = f"{group.head!r} needs {needs}, here it has {len(items)} operands"
        raise source.malformed(group.offset, msg)
    name = _name(source, items[0], "variable")
    element_type, shape = _sort(source, name, items[1])
    node_name = ""
    if is_hidden:
        quoted = items[2]
        if not isinstance(quoted, Atom) or not quoted.text.startswith('"'):
            raise source.malformed(quoted.offset, "a hidden node's ONNX name stands in quotes")
        node_name = _unquoted(quoted.text)
    return Tensor(name, element_type, shape, node_name, is_initialized, group.offset)


def _is_word(items: Sequence[Atom | Group], word: str) -> bool:
    return len(items) == 1 and isinstance(items[0], Atom) and items[0].text == word


def _sort(source: Source, name: str, sort: Atom | Group) -> tuple[str, tuple[int, ...]]:
    """Return the element type and shape of a variable."""
    element_type, extents = split_index(sort.text) if isinstance(sort, Atom) else ("", None)
    if not isinstance(sort, Atom) or extents is None:
        raise source.malformed(sort.offset, "a type has its shape in brackets, as in Real [2, 3]")
    if element_type not in ELEMENT_TYPES:
        msg = f"{shown(element_type)} is no element type; supported: {' '.join(ELEMENT_TYPES)}"
        raise source.malformed(sort.offset, msg)
    shape = tuple(index_number(source, sort, extent) for extent in extents)
    if 0 in shape:
        raise source.malformed(sort.offset, f"{name} has an axis of no entries")
    return (REAL if element_type in REAL_WORDS else element_type), shape


def _unquoted(text: str) -> str:
    escapes = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
    return re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[1]), text[1:-1])


def _check_names(
    source: Source,
    network: NetworkDeclaration,
    earlier: Sequence[NetworkDeclaration],
    limits: ReaderLimits,
) -> None:
    """Check that names are unique in the text, and that all entries can be kept."""
    known = {t.name for other in earlier for t in (*other.inputs, *other.results)}
    entries = sum(t.width for other in earlier for t in (*other.inputs, *other.results))
    for tensor in (*network.inputs, *network.hidden, *network.outputs):
        if tensor.name in known:
            raise source.malformed(tensor.offset, f"{tensor.name} is declared twice")
        known.add(tensor.name)
        entries += tensor.width
        if entries > limits.entries:
            msg = f"more than {limits.entries} entries of variables (limit 'entries')"
            raise source.malformed(tensor.offset, msg)


def _check_equivalences(
    source: Source, network: NetworkDeclaration, earlier: Sequence[NetworkDeclaration]
) -> None:
    for relation, name in (
        ("equal-to", network.equal_to),
        ("isomorphic-to", network.isomorphic_to),
    ):
        if not name:
            continue
        other = next((o for o in earlier if o.name == name), None)
        if other is None:
            msg = f"{relation} {name}: no network of this name is declared before"
            raise source.malformed(network.offset, msg)
        if other.equal_to or other.isomorphic_to:
            msg = f"{relation} {name}: {name} has an equivalence itself; they cannot be chained"
            raise source.malformed(network.offset, msg)
        for what, ours, theirs in (
            ("inputs", network.inputs, other.inputs),
            ("outputs", network.outputs, other.outputs),
        ):
            if [_kind(t) for t in ours] != [_kind(t) for t in theirs]:
                msg = f"{relation} {name}: the {what} differ in number, shape or type"
                raise source.malformed(network.offset, msg)


def _kind(tensor: Tensor) -> tuple[str, tuple[int, ...]]:
    return tensor.element_type, tensor.shape
