# SPDX-License-Identifier: Apache-2.0
"""A look at the bytes of an ONNX file before protobuf gets them.

Protobuf's parser is native code, and makes objects of whatever it is given: a file of a few
megabytes can ask for gigabytes of them, or for a tensor of 10^18 entries that is only found out
when somebody allocates it. So this walks the bytes first, makes nothing of them, and refuses what
no network needs.

The format is simple. A message is a sequence of fields. A field is a varint ``number << 3 | type``
and then, by type, a varint (0), eight bytes (1), a varint with a length and so many bytes (2), or
four bytes (5). Types 3 and 4 begin and end a *group*, which ONNX never had. A varint has seven bits
in each byte, lowest first, and goes on while a byte's highest bit is set. What is in the bytes of
type 2, a text, packed numbers or another message, only the schema tells: ``MESSAGES`` is the part
of ONNX's that says where messages are. The walk is over a list of messages still to be looked at,
not by recursion, so that nesting costs a level number and no stack; payloads are skipped by their
length, so the time goes by the number of fields and not of bytes.

What is checked:

  * every varint has at most ten bytes and 64 bits, every field a number and a known type;
  * every length ends inside the message that it is in;
  * messages are nested at most ``MOST_LEVELS`` deep, and there are at most ``MOST_FIELDS`` fields:
    that bounds what protobuf allocates, since each object that it makes has a field of its own;
  * a tensor declares no more entries than its data have room for, unless they are in another file,
    which is refused later and by name.

It accepts more than protobuf does, and says nothing of what fields mean; ``onnx_model`` does that.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from verifier.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_LEVELS = 64
MOST_FIELDS = 1 << 20
"""Networks of the benchmarks have up to some thousands; to walk over so many takes a second."""
MOST_AXES = 64

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
WIDTHS = {EIGHT_BYTES: 8, FOUR_BYTES: 4}
LONGEST_VARINT = 10

MESSAGES = {
    "model": {7: "graph", 8: "other", 14: "other", 20: "training", 25: "function", 26: "other"},
    "graph": {
        1: "node",
        5: "tensor",
        11: "value",
        12: "value",
        13: "value",
        14: "annotation",
        15: "sparse tensor",
        16: "other",
    },
    "node": {5: "attribute", 9: "other", 10: "devices"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        14: "type",
        15: "type",
        22: "sparse tensor",
        23: "sparse tensor",
    },
    "tensor": {3: "other", 13: "other", 16: "other"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "value": {2: "type", 4: "other"},
    "type": {
        1: "tensor type",
        4: "element type",
        5: "map type",
        7: "other",
        8: "tensor type",
        9: "element type",
    },
    "element type": {1: "type"},
    "map type": {2: "type"},
    "tensor type": {2: "shape"},
    "shape": {1: "other"},
    "annotation": {2: "other"},
    "training": {1: "graph", 2: "graph", 3: "other", 4: "other"},
    "function": {7: "node", 9: "other", 11: "attribute", 12: "value", 14: "other"},
    "devices": {2: "sharding"},
    "sharding": {3: "other", 4: "sharded axis"},
    "sharded axis": {2: "other"},
    "other": {},
}
"""For each kind of message, the fields that are messages. ``other`` stands for kinds without any,
of which only the number of fields matters."""

DIMS, DATA_TYPE, RAW_DATA, EXTERNAL_DATA, DATA_LOCATION = 1, 2, 9, 13, 14
TYPED_BITS = {4: 32, 5: 2, 7: 8, 10: 64, 11: 2}
"""Fields of a tensor's typed data to the fewest bits that an entry takes there: floats and doubles
have their size; integers are varints, of which one may stand for four entries of two bits."""
STRINGS = 6
RAW_BITS = {
    **dict.fromkeys((1, 6, 12), 32),
    **dict.fromkeys((7, 11, 13, 14), 64),
    **dict.fromkeys((4, 5, 10, 16), 16),
    **dict.fromkeys((2, 3, 9), 8),
    15: 128,
}
"""Element types to the bits of an entry in raw data; newer types have at least ``FEWEST_BITS``."""
FEWEST_BITS = 2

Field = tuple[int, int, int, int, int]
"""Where it is, its number and type, and where its payload starts and ends."""


def check_wire_format(content: bytes) -> None:
    """Check that bytes are well-formed and that nothing in them is out of proportion.

    Raises:
        ModelError: They are not; the message names the place and the value.
    """
    fields = 0
    left = [("model", 0, len(content), 1)]
    while left:
        kind, start, end, level = left.pop()
        if level > MOST_LEVELS:
            raise _damage(start, f"a message is nested more than {MOST_LEVELS} levels deep")
        messages, tensor = MESSAGES[kind], list[Field]()
        for field in _fields(content, start, end):
            at, number, wire, first, last = field
            fields += 1
            if fields > MOST_FIELDS:
                raise _damage(at, f"there are more than {MOST_FIELDS} fields")
            if wire == LENGTH and number in messages:
                left.append((messages[number], first, last, level + 1))
            if kind == "tensor":
                tensor.append(field)
        if tensor:
            _check_tensor(content, start, tensor)


def _fields(content: bytes, position: int, end: int) -> Iterator[Field]:
    """Yield the fields of a message.

    Raises:
        ModelError: One is not well-formed, or goes on beyond the message.
    """
    while position < end:
        at = position
        key, position = _varint(content, position, end)
        number, wire = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise _damage(at, f"a field has number {number}")
        if wire == VARINT:
            first = position
            _, position = _varint(content, position, end)
        elif wire == LENGTH:
            length, first = _varint(content, position, end)
            position = first + length
        elif wire in WIDTHS:
            first = position
            position += WIDTHS[wire]
        else:
            raise _damage(
                at, f"field {number} has type {wire}, which stands for a group or for nothing"
            )
        if position > end:
            raise _damage(
                at, f"field {number} has {position - first} bytes, {end - first} are left"
            )
        yield at, number, wire, first, position


def _varint(content: bytes, position: int, end: int) -> tuple[int, int]:
    """Return a varint's value, and where it ends."""
    if position < end and content[position] < 0x80:
        return content[position], position + 1
    value = 0
    for place, byte in enumerate(content[position : min(position + LONGEST_VARINT, end)]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            if value >> 64:
                raise _damage(position, f"the number {value} has more than 64 bits")
            return value, position + place + 1
    if end - position >= LONGEST_VARINT:
        raise _damage(position, f"a number is longer than {LONGEST_VARINT} bytes")
    raise _damage(position, f"the bytes end within a number, at {end}")


def _check_tensor(content: bytes, start: int, fields: list[Field]) -> None:
    """Check that a tensor's data have room for the entries that it declares."""
    dims: list[int] = []
    data_type = strings = 0
    for _, number, wire, first, last in fields:
        value = _varint(content, first, last)[0] if wire == VARINT else 0
        if number == EXTERNAL_DATA or (number == DATA_LOCATION and value):
            return
        if number == DIMS and wire in {VARINT, LENGTH}:
            dims += _numbers(content, start, (first, last))
        elif number == DATA_TYPE:
            data_type = value
        strings += number == STRINGS
    if len(dims) > MOST_AXES:
        raise _damage(start, f"a tensor has {len(dims)} axes, more than {MOST_AXES}")
    if 0 in dims or max(dims, default=0) >> 63:
        return  # It has no entries; or an axis is negative, which is refused with its name.
    room = strings
    for _, number, _, first, last in fields:
        bits = TYPED_BITS.get(number, 0)
        if number == RAW_DATA:
            bits = RAW_BITS.get(data_type, FEWEST_BITS)
        room += 8 * (last - first) // bits if bits else 0
    if prod(dims) > room:
        raise _damage(start, f"a tensor has shape {dims}, and data for at most {room} entries")


def _numbers(content: bytes, start: int, payload: tuple[int, int]) -> list[int]:
    """Return one varint, or several that are packed: no more of them than a tensor has axes."""
    position, end = payload
    numbers: list[int] = []
    while position < end:
        value, position = _varint(content, position, end)
        numbers.append(value)
        if len(numbers) > MOST_AXES:
            raise _damage(start, f"a tensor has more than {MOST_AXES} axes")
    return numbers


def _damage(position: int, what: str) -> ModelError:
    return ModelError(f"not an ONNX model: at byte {position}, {what}")
