# SPDX-License-Identifier: Apache-2.0
"""``wire_format``: what is out of proportion is refused before protobuf makes objects of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tests.ir.onnx_models import models
from verifier.errors import ModelError
from verifier.ir import onnx_model, wire_format
from verifier.ir.wire_format import MESSAGES, MOST_LEVELS, check_wire_format

if TYPE_CHECKING:
    from pathlib import Path

VARINT, LENGTH = 0, 2


def varint(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def field(number: int, payload: bytes | int) -> bytes:
    """Return a field with a payload of some length, or a number."""
    if isinstance(payload, int):
        return varint(number << 3 | VARINT) + varint(payload)
    return varint(number << 3 | LENGTH) + varint(len(payload)) + payload


def nested(numbers: list[int], inmost: bytes) -> bytes:
    """Return messages in each other, the outermost first."""
    content = inmost
    for number in reversed(numbers):
        content = field(number, content)
    return content


def weight(*fields: bytes) -> bytes:
    """Return a model whose graph has one initializer."""
    return nested([7, 5], b"".join(fields))


def refusal(content: bytes) -> str:
    with pytest.raises(ModelError, match="not an ONNX model: at byte ") as refused:
        check_wire_format(content)
    return str(refused.value)


def test_every_real_network_is_accepted(data: Path) -> None:
    files = sorted(data.rglob("*.onnx"))

    for file in files:
        check_wire_format(file.read_bytes())

    assert len(files) > 100


@given(model=models())
def test_generated_networks_are_accepted(model: bytes) -> None:
    check_wire_format(model)

    assert onnx.ModelProto.FromString(model).HasField("graph")


@given(model=models(), share=st.floats(0, 1, exclude_max=True))
def test_what_is_cut_off_within_a_field_is_refused(model: bytes, share: float) -> None:
    # Between two fields of the whole model, a shorter file is a model too, and lacks something.
    size = int(len(model) * share)
    ends = list(field_ends(model))

    if size in ends:
        check_wire_format(model[:size])
    else:
        assert refusal(model[:size])


def field_ends(model: bytes) -> list[int]:
    parsed = onnx.ModelProto.FromString(model)
    sizes = [0]
    for descriptor, value in parsed.ListFields():
        values: Any = value if isinstance(value, (list, tuple)) or is_repeated(value) else [value]
        for one in values:
            alone = onnx.ModelProto()
            place = getattr(alone, descriptor.name)
            if is_repeated(place):
                place.append(one)
            elif descriptor.message_type:
                place.CopyFrom(one)
            else:
                setattr(alone, descriptor.name, one)
            sizes.append(sizes[-1] + len(alone.SerializePartialToString()))
    return sizes


def is_repeated(value: object) -> bool:
    return hasattr(value, "append")


HOSTILE = {
    "a length beyond the end": (varint(7 << 3 | 2) + varint(1000) + b"x", "1000 bytes, 1 are left"),
    "a length beyond its parent": (
        field(7, varint(1 << 3 | 2) + varint(9) + b"12345") + field(2, b"more than enough"),
        "9 bytes, 5 are left",
    ),
    "a length of 64 bits": (varint(7 << 3 | 2) + varint(2**64 - 1), "bytes, 0 are left"),
    "half a number": (b"\x08\x80", "end within a number"),
    "a number of eleven bytes": (b"\x08" + b"\x80" * 10 + b"\x00", "longer than 10 bytes"),
    "a number of 70 bits": (b"\x08" + b"\xff" * 9 + b"\x7f", "more than 64 bits"),
    "half of eight bytes": (varint(9 << 3 | 1) + b"1234", "8 bytes, 4 are left"),
    "half of four bytes": (varint(9 << 3 | 5) + b"12", "4 bytes, 2 are left"),
    "field 0": (b"\x00\x00", "number 0"),
    "a field beyond all": (varint(1 << 32) + b"\x00", "number 536870912"),
    "a group": (varint(7 << 3 | 3) + varint(7 << 3 | 4), "type 3"),
    "the end of a group": (varint(7 << 3 | 4), "type 4"),
    "type 6": (varint(7 << 3 | 6), "type 6"),
    "10^18 entries": (
        weight(field(1, 10**9), field(1, 10**9), field(2, 1), field(9, b"1234")),
        "shape [1000000000, 1000000000], and data for at most 1 entries",
    ),
    "10^18 entries, packed": (
        weight(field(1, varint(10**9) * 2), field(2, 1), field(9, b"1234")),
        "at most 1 entries",
    ),
    "one entry too many": (
        weight(field(1, 2), field(2, 11), field(9, b"1" * 15)),
        "shape [2], and data for at most 1 entries",
    ),
    "entries without data": (weight(field(1, 3), field(2, 1)), "at most 0 entries"),
    "floats too few": (weight(field(1, 3), field(2, 1), field(4, b"12345678")), "at most 2"),
    "doubles too few": (weight(field(1, 2), field(2, 11), field(10, b"12345678")), "at most 1"),
    "integers too few": (weight(field(1, 9), field(2, 7), field(7, b"11")), "at most 2"),
    "texts too few": (weight(field(1, 2), field(2, 8), field(6, b"text")), "at most 1"),
    "many axes": (weight(*[field(1, 1)] * 65, field(9, b"1234")), "65 axes"),
    "many axes, packed": (weight(field(1, b"\x01" * 10**6)), "more than 64 axes"),
    "a data location that is no number": (weight(field(14, b""), field(1, 9)), "at most 0"),
    "in an attribute": (
        nested([7, 1, 5, 5], field(1, 10**9) + field(2, 1) + field(9, b"1234")),
        "at most 1 entries",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_network_needs_is_refused_with_place_and_value(name: str) -> None:
    content, words = HOSTILE[name]

    assert words in refusal(content)


def test_the_place_is_the_byte_where_it_is() -> None:
    good = field(2, b"producer")

    assert "at byte 10," in refusal(good + b"\x00\x00")


GRAPHS = [7, *([1, 5, 6] * 33_334)]
TYPES = [7, 11, 2, *([4, 1] * 50_000)]
MAPS = [7, 11, 2, *([5, 2] * 50_000)]
OPTIONAL = [7, 11, 2, *([9, 1] * 50_000)]


@pytest.mark.parametrize("numbers", [GRAPHS, TYPES, MAPS, OPTIONAL], ids=len)
def test_deep_nesting_is_refused(numbers: list[int]) -> None:
    # Built from the inside in one go: lengths grow with each level.
    content, parts = 0, list[bytes]()
    for number in reversed(numbers):
        head = varint(number << 3 | LENGTH) + varint(content)
        parts.append(head)
        content += len(head)

    message = refusal(b"".join(reversed(parts)))

    assert f"more than {MOST_LEVELS} levels" in message


def test_a_nesting_that_networks_have_is_accepted() -> None:
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "b", [], [])
    for _ in range(8):
        node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
        branch = helper.make_graph([node], "b", [], [])
    model = helper.make_model(branch)

    check_wire_format(model.SerializeToString())
    assert model.graph.node[0].op_type == "If"


def test_more_fields_than_networks_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_format, "MOST_FIELDS", 1000)
    check_wire_format(field(7, field(1, b"") * 999))

    assert "more than 1000 fields" in refusal(field(7, field(1, b"") * 1000))


def test_an_empty_tensor_and_one_that_lies_elsewhere_need_no_data() -> None:
    empty = TensorProto(dims=[0, 10**9], data_type=TensorProto.FLOAT)
    elsewhere = TensorProto(dims=[10**9], data_type=1, data_location=TensorProto.EXTERNAL)
    negative = TensorProto(dims=[-1, 5], data_type=1, raw_data=b"1234")

    for tensor in (empty, elsewhere, negative):
        check_wire_format(weight(tensor.SerializeToString()))
        assert tensor.ByteSize() < 40


TYPES_OF_ENTRIES = sorted(set(TensorProto.DataType.values()) - {TensorProto.UNDEFINED})


@pytest.mark.parametrize("data_type", TYPES_OF_ENTRIES, ids=TensorProto.DataType.Name)
@pytest.mark.parametrize("is_raw", [False, True], ids=["typed", "raw"])
def test_each_element_type_has_room_for_its_entries(data_type: int, is_raw: bool) -> None:
    if data_type == TensorProto.STRING:
        tensor = helper.make_tensor("t", data_type, [8], ["text"] * 8)  # type: ignore[list-item]
    else:
        kind = helper.tensor_dtype_to_np_dtype(data_type)
        array = np.ones(8).astype(kind)
        tensor = numpy_helper.from_array(array, "t")
        if not is_raw and data_type not in {27, 28}:
            tensor = helper.make_tensor("t", data_type, [8], array.astype(kind).tolist())
    assert list(tensor.dims) == [8]

    check_wire_format(weight(tensor.SerializeToString()))


def test_the_table_of_messages_is_that_of_onnx() -> None:
    missing: list[str] = []
    seen: set[tuple[str, str]] = set()
    left = [("model", onnx.ModelProto.DESCRIPTOR)]
    while left:
        kind, message = left.pop()
        if (kind, message.full_name) in seen:
            continue
        seen.add((kind, message.full_name))
        for one in message.fields:
            if one.message_type is not None:
                ours = MESSAGES[kind].get(one.number)
                missing += [] if ours else [f"{message.full_name}.{one.name}"]
                left += [(ours, one.message_type)] if ours else []

    assert missing == []
    assert {kind for kind, _ in seen} == set(MESSAGES)


def test_protobuf_does_not_get_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    monkeypatch.setattr(onnx.ModelProto, "FromString", parsed.append, raising=False)

    with pytest.raises(ModelError):
        onnx_model.parse(HOSTILE["10^18 entries"][0])

    assert parsed == []
