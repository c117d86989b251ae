# SPDX-License-Identifier: Apache-2.0
"""The values that flow along the edges of an ONNX graph while it is read.

A value is either a ``Constant``, known now, or a ``Variable``, which depends on the network's
input. Every supported operator is lowered to the few operations of ``Variable``: moving entries
about (``take``, ``joined``), multiplying by and adding constants, adding variables, multiplying by
a constant matrix, and ReLU. There are two kinds of variables, so the lowering is written once:

  * ``onnx_symbolic`` builds the network from them, exactly;
  * ``onnx_rounding`` runs them at sample points and bounds what a floating-point runtime, adding
    in any order, may differ by.

Arithmetic between two constants is done as every runtime does it, once and correctly rounded in
the constants' own type, since that is the weight the deployed network has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from verifier.errors import ModelError, UnsupportedError
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Entries of one tensor and of one matrix: far above any fully connected network, far below what
# a few bytes of a hostile file could make this process allocate.
MAX_TENSOR_ENTRIES = 1 << 22
MAX_MATRIX_ENTRIES = 1 << 25

Shape = tuple[int, ...]


class Element(IntEnum):
    """Element types, by their number in ONNX."""

    FLOAT = 1
    UINT8 = 2
    INT8 = 3
    UINT16 = 4
    INT16 = 5
    INT32 = 6
    INT64 = 7
    BOOL = 9
    FLOAT16 = 10
    DOUBLE = 11
    UINT32 = 12
    UINT64 = 13
    BFLOAT16 = 16

    @property
    def is_float(self) -> bool:
        """Whether entries are floating-point numbers."""
        return self in _PRECISION

    @property
    def precision(self) -> int:
        """Bits of the significand of a floating-point type."""
        return _PRECISION[self]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type that holds such entries; bfloat16 is held as float32."""
        return np.dtype(
            "float32" if self is Element.BFLOAT16 else _DTYPES.get(self, self.name.lower())
        )


_PRECISION = {Element.BFLOAT16: 8, Element.FLOAT16: 11, Element.FLOAT: 24, Element.DOUBLE: 53}
_DTYPES = {Element.FLOAT: "float32", Element.DOUBLE: "float64"}


class Movable(Protocol):
    """What constants and variables have in common: entries that can be moved about."""

    @property
    def shape(self) -> Shape:
        """The shape of the tensor."""

    def take(self, index: NDArray[np.int64]) -> Self:
        """Return a tensor of ``index``'s shape: each entry names a flat entry here, -1 is zero."""


@dataclass(frozen=True, eq=False)
class Constant:
    """An array known when the file is read."""

    array: NDArray[Any]
    element: Element

    @property
    def shape(self) -> Shape:
        """The shape of the tensor."""
        return self.array.shape

    @cached_property
    def exact(self) -> RationalArray:
        """The exact values of a float tensor.

        Raises:
            ModelError: An entry is NaN or infinite.
        """
        try:
            return RationalArray.from_floats(self.array)
        except ValueError as error:
            raise ModelError(str(error)) from error

    def take(self, index: NDArray[np.int64]) -> Constant:
        """Return a tensor of ``index``'s shape: each entry names a flat entry here, -1 is zero."""
        if not self.array.size:
            return Constant(np.zeros(index.shape, self.array.dtype), self.element)
        taken = self.array.ravel()[np.maximum(index, 0)]
        return Constant(np.where(index < 0, np.zeros((), taken.dtype), taken), self.element)


class Variable(ABC):
    """A float tensor that depends on the network's input."""

    shape: Shape
    element: Element

    @abstractmethod
    def take(self, index: NDArray[np.int64]) -> Self:
        """Return a tensor of ``index``'s shape: each entry names a flat entry here, -1 is zero."""

    @abstractmethod
    def joined(self, parts: Sequence[Self | Constant]) -> Self:
        """Return the entries of all ``parts`` in a row (``self`` only says of which kind)."""

    @abstractmethod
    def retyped(self, element: Element) -> Self:
        """Return the same values in a wider type."""

    @abstractmethod
    def scaled(self, factors: RationalArray, roundings: int = 1) -> Self:
        """Multiply entry by entry; a runtime needs that many roundings to do it."""

    @abstractmethod
    def shifted(self, offsets: RationalArray) -> Self:
        """Add entry by entry."""

    @abstractmethod
    def plus(self, other: Self) -> Self:
        """Add another variable of the same shape."""

    @abstractmethod
    def matmul(self, matrix: RationalArray) -> Self:
        """Multiply this tensor, of two axes, by a matrix on the right."""

    @abstractmethod
    def relu(self) -> Self:
        """Return ``max(x, 0)``."""


Tensor = Variable | Constant


def positions(shape: Shape) -> NDArray[np.int64]:
    """Return the flat position of each entry of a tensor of that shape, in that shape."""
    return np.arange(prod(shape), dtype=np.int64).reshape(shape)


def checked(shape: Sequence[int], what: str) -> Shape:
    """Return the shape if a tensor of it may be made.

    Raises:
        ModelError: An axis is negative.
        UnsupportedError: It has no entries, or too many.
    """
    if any(n < 0 for n in shape):
        msg = f"{what} has shape {list(shape)}: an axis is negative"
        raise ModelError(msg)
    if not 0 < prod(shape) <= MAX_TENSOR_ENTRIES:
        msg = f"{what} has shape {list(shape)}; supported: from 1 to {MAX_TENSOR_ENTRIES} entries"
        raise UnsupportedError(msg)
    return tuple(int(n) for n in shape)


def checked_matrix(rows: int, columns: int) -> None:
    """Refuse a matrix that is too large to be made.

    Raises:
        UnsupportedError: It has too many entries.
    """
    if rows * columns > MAX_MATRIX_ENTRIES:
        msg = f"a matrix of {rows} x {columns}; supported: up to {MAX_MATRIX_ENTRIES} entries"
        raise UnsupportedError(msg)
