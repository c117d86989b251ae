# SPDX-License-Identifier: Apache-2.0
"""Variables that build the network: each entry is an affine expression, exactly.

Invariant: entry ``j`` of a ``Symbol`` is ``scale[j] * pool[index[j]] + offset[j]``, where the pool
numbers the entries of all values made so far, and index -1 stands for 0. A missing scale is 1, a
missing offset 0. So everything that moves entries about, and everything elementwise, costs one
small array and no matrix, however wide the tensor: ``(x - mean) / std``, reshaped and transposed,
is still one index, one scale and one offset when it meets the first weight matrix.

The pool holds *anchors* (the input and the outputs of ReLUs, which are nodes of the graph) and
*forms* (matrices over anchors). Forms are composed with forms at once, so that what a ReLU reads
is always one matrix for each anchor: the graph that comes out is in normal form but for dead nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.ir.graph import Graph, Node
from verifier.ir.onnx_values import Constant, Element, Shape, Variable, checked_matrix
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Form:
    """``sum_a terms[a] @ anchor a + bias``; anchors are positions in the graph."""

    terms: Mapping[int, RationalArray]
    bias: RationalArray


@dataclass
class Pool:
    """The values made so far, and the nodes of the graph that is being built.

    Attributes:
        values: Positions of anchors in the graph, and forms.
        starts: The number that the first entry of each value has in the pool.
        size: Entries of all values.
        nodes: The graph so far.
        label: The ONNX node that is being read, which names the nodes it makes.
    """

    values: list[int | Form] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    size: int = 0
    nodes: list[Node] = field(default_factory=list)
    label: str = ""

    def add(self, value: int | Form, shape: Shape, element: Element) -> Symbol:
        """Number the entries of a new value and return them as a tensor."""
        start, width = self.size, prod(shape)
        self.values.append(value)
        self.starts.append(start)
        self.size += width
        index = np.arange(start, start + width, dtype=np.int64).reshape(shape)
        return Symbol(self, shape, element, index)

    def add_input(self, shape: Shape, element: Element, name: str) -> Symbol:
        """Make the input node."""
        self.nodes.append(Node(name, Input(), (), prod(shape)))
        return self.add(0, shape, element)

    def add_affine(self, form: Form, name: str) -> int:
        """Make an Affine node and return its position."""
        width = form.bias.shape[0]
        # A constant reads the input with weight 0: the normal form has no layer without inputs.
        terms = dict(form.terms) or {0: RationalArray.zeros((width, self.nodes[0].width))}
        anchors = tuple(sorted(terms))
        affine = Affine(tuple(terms[a].reduced() for a in anchors), form.bias.reduced())
        self.nodes.append(Node(name, affine, anchors, width))
        return len(self.nodes) - 1

    def finish(self, output: Symbol, names: tuple[str, str], input_shape: Shape) -> Graph:
        """Return the graph that computes ``output``; names are those of input and output."""
        self.add_affine(output.form(), names[1])
        return Graph(tuple(self.nodes), names[0], names[1], input_shape, output.shape)


@dataclass(frozen=True, eq=False)
class Symbol(Variable):
    """A tensor over the pool, as the module describes it."""

    pool: Pool
    shape: Shape
    element: Element
    index: NDArray[np.int64]
    scale: RationalArray | None = None
    offset: RationalArray | None = None

    def take(self, index: NDArray[np.int64]) -> Symbol:
        """Return chosen entries, in another shape."""
        flat, missing = np.maximum(index, 0), index < 0
        taken = np.where(missing, -1, self.index.ravel()[flat])
        scale = None if self.scale is None else self.scale.reshape((-1,))[flat]
        offset = None if self.offset is None else self.offset.reshape((-1,))[flat]
        if offset is not None and missing.any():
            offset = RationalArray(np.where(missing, 0, offset.numerators), offset.denominator)
        return Symbol(self.pool, index.shape, self.element, taken, scale, offset)

    def joined(self, parts: Sequence[Symbol | Constant]) -> Symbol:
        """Return the entries of all parts in a row."""
        symbols = [self._constant(p) if isinstance(p, Constant) else p for p in parts]
        sizes = [prod(s.shape) for s in symbols]
        index = np.concatenate([s.index.ravel() for s in symbols])
        scale = offset = None
        if any(s.scale is not None for s in symbols):
            scale = _concatenated(
                [_flat(s.scale, n, 1) for s, n in zip(symbols, sizes, strict=True)]
            )
        if any(s.offset is not None for s in symbols):
            offset = _concatenated(
                [_flat(s.offset, n, 0) for s, n in zip(symbols, sizes, strict=True)]
            )
        return Symbol(self.pool, (sum(sizes),), self.element, index, scale, offset)

    def _constant(self, constant: Constant) -> Symbol:
        index = np.full(constant.shape, -1, dtype=np.int64)
        return Symbol(self.pool, constant.shape, constant.element, index, offset=constant.exact)

    def retyped(self, element: Element) -> Symbol:
        """Return the same values: a wider type holds them exactly."""
        return replace(self, element=element)

    def scaled(self, factors: RationalArray, roundings: int = 1) -> Symbol:  # noqa: ARG002
        """Multiply entry by entry, exactly."""
        scale = factors if self.scale is None else (self.scale * factors).reduced()
        offset = None if self.offset is None else (self.offset * factors).reduced()
        return replace(self, scale=scale, offset=offset)

    def shifted(self, offsets: RationalArray) -> Symbol:
        """Add entry by entry, exactly."""
        offset = offsets if self.offset is None else (self.offset + offsets).reduced()
        return replace(self, offset=offset)

    def plus(self, other: Symbol) -> Symbol:
        """Add two tensors: a new form."""
        left, right = self.form(), other.form()
        total = _sum([left, right])
        return self.pool.add(total, self.shape, self.element)

    def matmul(self, matrix: RationalArray) -> Symbol:
        """Multiply each row of this tensor by the matrix: a new form."""
        rows, columns = self.shape[0], matrix.shape[1]
        transposed = RationalArray(matrix.numerators.T, matrix.denominator)
        forms = [self._row(i)._product(transposed) for i in range(rows)]  # noqa: SLF001
        form = forms[0] if rows == 1 else _stacked(forms)
        return self.pool.add(form, (rows, columns), self.element)

    def relu(self) -> Symbol:
        """Make an Affine node of what this tensor is, and a Relu node that reads it."""
        label = self.pool.label
        affine = self.pool.add_affine(self.form(), f"{label}/in")
        node = Node(label, Relu(), (affine,), self.pool.nodes[affine].width)
        self.pool.nodes.append(node)
        return self.pool.add(affine + 1, self.shape, self.element)

    def form(self) -> Form:
        """Return this tensor, flattened, as an affine expression over anchors."""
        size = prod(self.shape)
        scale = None if self.scale is None else self.scale.reshape((-1,))
        bias = _flat(self.offset, size, 0)
        parts = [Form({}, bias)]
        for value, entries, columns in self._sources():
            part = self._picked(value, columns, None if scale is None else scale[entries])
            whole = len(entries) == size and np.array_equal(entries, np.arange(size))
            parts.append(part if whole else _spread(part, entries, size))
        return _sum(parts)

    def _sources(self) -> Iterator[tuple[int | Form, NDArray[np.int64], NDArray[np.int64]]]:
        """Yield each value read, which entries here read it, and which of its entries they read."""
        flat = self.index.ravel()
        present = flat >= 0
        numbers = np.searchsorted(np.array(self.pool.starts), flat, side="right") - 1
        for number in sorted({int(n) for n in numbers[present]}):
            (entries,) = np.nonzero(present & (numbers == number))
            yield self.pool.values[number], entries, flat[entries] - self.pool.starts[number]

    def _picked(
        self, value: int | Form, columns: NDArray[np.int64], scale: RationalArray | None
    ) -> Form:
        """Return the chosen entries of a value, scaled."""
        count = len(columns)
        if isinstance(value, int):
            width = self.pool.nodes[value].width
            checked_matrix(count, width)
            numerators = np.zeros((count, width), dtype=object)
            numerators[np.arange(count), columns] = 1 if scale is None else scale.numerators
            denominator = 1 if scale is None else scale.denominator
            return Form({value: RationalArray(numerators, denominator)}, _flat(None, count, 0))
        whole = count == value.bias.shape[0] and np.array_equal(columns, np.arange(count))
        form = (
            value
            if whole
            else Form(
                {a: matrix[columns] for a, matrix in value.terms.items()}, value.bias[columns]
            )
        )
        if scale is None:
            return form
        column = scale.reshape((count, 1))
        return Form({a: column * m for a, m in form.terms.items()}, scale * form.bias)

    def _row(self, row: int) -> Symbol:
        return (
            self
            if self.shape[0] == 1
            else self.take(np.arange(self.shape[1], dtype=np.int64) + row * self.shape[1])
        )

    def _product(self, matrix: RationalArray) -> Form:
        """Return ``matrix @ x`` for the flattened tensor ``x``."""
        height, size = matrix.shape
        scale = None if self.scale is None else self.scale.reshape((1, size))
        scaled = matrix if scale is None else (matrix * scale).reduced()
        bias = RationalArray.zeros((height,))
        if self.offset is not None:
            bias = (matrix @ self.offset.reshape((size,))).reduced()
        parts = [Form({}, bias)]
        for value, entries, columns in self._sources():
            part = scaled if len(entries) == size else scaled[:, entries]
            if isinstance(value, int):
                width = self.pool.nodes[value].width
                parts.append(Form({value: _columns(part, columns, width)}, _flat(None, height, 0)))
                continue
            inner = self._picked(value, columns, None)
            terms = {a: (part @ m).reduced() for a, m in inner.terms.items()}
            parts.append(Form(terms, (part @ inner.bias).reduced()))
        return _sum(parts)


def _columns(part: RationalArray, columns: NDArray[np.int64], width: int) -> RationalArray:
    """Return a matrix of that width with the columns of ``part`` added where ``columns`` says."""
    if len(columns) == width and np.array_equal(columns, np.arange(width)):
        return part
    checked_matrix(part.shape[0], width)
    numerators = np.zeros((width, part.shape[0]), dtype=object)
    np.add.at(numerators, columns, part.numerators.T)
    return RationalArray(numerators.T, part.denominator)


def _flat(array: RationalArray | None, size: int, default: int) -> RationalArray:
    if array is not None:
        return array.reshape((size,))
    numerators: NDArray[Any] = np.full((size,), default, dtype=object)
    return RationalArray(numerators, 1)


def _concatenated(arrays: Sequence[RationalArray]) -> RationalArray:
    denominator = int(np.lcm.reduce(np.array([a.denominator for a in arrays], dtype=object)))
    return RationalArray(
        np.concatenate([a.numerators * (denominator // a.denominator) for a in arrays]), denominator
    )


def _spread(form: Form, entries: NDArray[np.int64], size: int) -> Form:
    """Return the form with its rows at ``entries`` of ``size``, zero elsewhere."""

    def place(array: RationalArray) -> RationalArray:
        checked_matrix(size, prod(array.shape[1:]))
        numerators = np.zeros((size, *array.shape[1:]), dtype=object)
        numerators[entries] = array.numerators
        return RationalArray(numerators, array.denominator)

    return Form({a: place(m) for a, m in form.terms.items()}, place(form.bias))


def _sum(forms: Sequence[Form]) -> Form:
    terms: dict[int, RationalArray] = {}
    bias = forms[0].bias
    for form in forms:
        for anchor, matrix in form.terms.items():
            terms[anchor] = terms[anchor] + matrix if anchor in terms else matrix
    for form in forms[1:]:
        bias = bias + form.bias
    return Form(terms, bias)


def _stacked(forms: Sequence[Form]) -> Form:
    """Return the rows of all forms, one below the other."""
    heights = [form.bias.shape[0] for form in forms]
    starts = np.cumsum([0, *heights])
    size = int(starts[-1])
    spread = [
        _spread(form, np.arange(start, start + height), size)
        for form, start, height in zip(forms, starts[:-1], heights, strict=True)
    ]
    return _sum(spread)
