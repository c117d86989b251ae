# SPDX-License-Identifier: Apache-2.0
"""Files that are made to harm whoever reads them."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
import zlib
from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto, helper

from tests.api.tiny import tiny_model, tiny_property

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20


def models() -> Iterator[tuple[str, bytes]]:
    """Yield what is wrong with a model, and the model."""
    good = tiny_model()
    yield "empty", b""
    yield "random", random.Random(1).randbytes(5000)
    yield "cut off", good[: len(good) // 2]
    yield "a property", tiny_property()
    yield "external data outside", _external("../../../../etc/passwd")
    yield "external data at an absolute path", _external("/etc/passwd")
    yield "external data in a link", _external("/proc/self/mem")
    yield "deeply nested graphs", _nested(20_000)
    yield "a tensor of 2^40 values", _shaped([1 << 20, 1 << 20])
    yield "a tensor of negative size", _shaped([-1, 5])
    yield "a tensor whose size overflows", _shaped([1 << 33, 1 << 33])
    yield "compressed and cut off", gzip.compress(good)[:-6]
    yield "a bomb", bomb()
    yield "a field of 2^60 bytes", good + b"\x3a" + b"\xff\xff\xff\xff\xff\xff\xff\xff\x0f"
    yield "nothing but tags", b"\x3a\x00" * 200_000


def properties() -> Iterator[tuple[str, bytes]]:
    """Yield what is wrong with a property, and the property."""
    good = tiny_property().decode()
    yield "empty", b""
    yield "random", random.Random(2).randbytes(5000)
    yield "a million brackets", b"(" * 10**6 + b")" * 10**6
    yield "a million nested terms", b"(assert " + b"(and " * 10**6 + b")" * (10**6 + 1)
    yield "brackets that do not close", good.encode() + b"(assert (<= X_0"
    yield "a bomb", bomb()
    yield "a bomb in a bomb", gzip.compress(bomb())
    for number in ("NaN", "inf", "-inf", "1e9999", "1e999999999", "0x1p3", "1/0", "9" * 10**6):
        yield f"the number {number[:12]}", good.replace("2.5", number).encode()
    yield "an input of number 10^12", good.replace("X_1", "X_1000000000000").encode()
    yield "a model", tiny_model()


def others() -> Iterator[tuple[str, bytes]]:
    """Yield what is wrong with a proof, certificate or neuron map."""
    yield "empty", b""
    yield "random", random.Random(3).randbytes(5000)
    yield "a model", tiny_model()
    yield "a bomb", bomb()
    yield "an archive with a bomb", _archive()
    yield "nested lists", b"[" * 10**6
    yield "nested lists, compressed", gzip.compress(b"[" * 10**7)
    yield "other JSON", b'{"format": "something", "version": 1}'
    yield "a number", b"1e999"


def bomb(size: int = 512 * MIB) -> bytes:
    """Return some megabytes that become ever so many zeros."""
    maker = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    parts = [maker.compress(block) for _ in range(size // len(block))]
    return b"".join([*parts, maker.flush()])


def flipped(content: bytes, seed: int) -> bytes:
    """Return a file with one or two bits of it turned."""
    chance, damaged = random.Random(seed), bytearray(content)
    for _ in range(chance.randint(1, 2)):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def _archive() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("format.json", bytes(300 << 20))
    return target.getvalue()


def _external(location: str) -> bytes:
    model = onnx.load_from_string(tiny_model())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return bytes(model.SerializeToString())


def _shaped(dims: list[int]) -> bytes:
    model = onnx.load_from_string(tiny_model())
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(dims)
    return bytes(model.SerializeToString())


def _nested(depth: int) -> bytes:
    """Return a model with graphs in attributes of nodes of graphs, built from the inside."""
    inner = bytes(helper.make_graph([], "g", [], []).SerializeToString())
    for _ in range(depth):
        attribute = b"\x0a\x01a" + b"\x32" + _length(inner) + inner  # name, g
        node = b"\x22\x02If" + b"\x2a" + _length(attribute) + attribute  # op_type, attribute
        inner = b"\x0a" + _length(node) + node
        if len(inner) > 4 << 20:
            break
    return b"\x08\x08" + b"\x3a" + _length(inner) + inner


def _length(content: bytes) -> bytes:
    size, parts = len(content), []
    while size > 127:
        parts.append(size & 127 | 128)
        size >>= 7
    return bytes([*parts, size])
