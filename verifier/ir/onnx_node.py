# SPDX-License-Identifier: Apache-2.0
"""One ONNX node with its inputs, read in such a way that nothing of it can be overlooked.

A lowering asks for the inputs and attributes it models, and the node keeps count: whatever was
not asked for in the end is an error that names it. So an attribute of a later opset, or a
misspelt one, never changes a network in silence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import numpy as np

from verifier.errors import ModelError, UnsupportedError
from verifier.ir.onnx_values import Constant, Element, Tensor, Variable
from verifier.ir.rational import RationalArray

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_T = TypeVar("_T")


@dataclass
class OnnxNode:
    """A node that is being read.

    Attributes:
        operator: Its operator type.
        name: Its name, or that of its first output.
        opset: Version of the default operator set.
        attributes: Fractions and integers, texts, tensors, and tuples of these.
        inputs: One for each declared input, ``None`` where it was left out.
        output_count: Number of outputs that bear a name, up to the last that does.
    """

    operator: str
    name: str
    opset: int
    attributes: Mapping[str, Any]
    inputs: Sequence[Tensor | None]
    output_count: int
    _asked: set[str] = field(default_factory=set)

    @property
    def place(self) -> str:
        """Where we are, for messages."""
        return f"operator {self.operator!r} (node {self.name!r})"

    def refuse(self, what: str) -> NoReturn:
        """Say that something here is not modelled.

        Raises:
            UnsupportedError: Always.
        """
        msg = f"{self.place}: {what}"
        raise UnsupportedError(msg)

    def damaged(self, what: str) -> NoReturn:
        """Say that something here is against the standard.

        Raises:
            ModelError: Always.
        """
        msg = f"{self.place}: {what}"
        raise ModelError(msg)

    def finish(self) -> None:
        """Refuse attributes that nobody asked for."""
        for name in self.attributes:
            if name not in self._asked:
                self.refuse(f"attribute {name!r} is not supported in opset {self.opset}")

    def check_inputs(self, least: int, most: int | None = None) -> None:
        """Refuse another number of inputs."""
        most = least if most is None else most
        present = [value is not None for value in self.inputs]
        if not least <= len(present) <= most or not all(present[:least]):
            self.damaged(f"{sum(present)} inputs, expected {least} to {most}")

    def input(self, position: int) -> Tensor:
        """Return an input that must be there."""
        value = self.optional(position)
        if value is None:
            self.damaged(f"input {position} is missing")
        return value

    def optional(self, position: int) -> Tensor | None:
        """Return an input that may be missing."""
        return self.inputs[position] if position < len(self.inputs) else None

    def constant(self, position: int, what: str) -> Constant:
        """Return an input that must be known when the file is read."""
        value = self.input(position)
        if isinstance(value, Variable):
            self.refuse(f"{what} depends on the network's input; supported: a constant")
        return value

    def constant_integers(self, position: int, what: str) -> list[int] | None:
        """Return a constant list of integers, or ``None`` if that input is left out."""
        if self.optional(position) is None:
            return None
        value = self.constant(position, what)
        if value.element not in {Element.INT64, Element.INT32} or len(value.shape) > 1:
            self.damaged(
                f"{what} is {value.element.name}{list(value.shape)}, not a list of integers"
            )
        return [int(n) for n in value.array.ravel()]

    def integer(self, name: str, default: int | None = None) -> int:
        """Return an integer attribute."""
        return self._attribute(name, int, default)

    def integers(self, name: str) -> list[int] | None:
        """Return an attribute that is a list of integers, or ``None``."""
        value = self._attribute(name, tuple, ())
        if any(not isinstance(n, int) for n in value):
            self.damaged(f"attribute {name!r} is not a list of integers")
        return list(value) if name in self.attributes else None

    def number(self, name: str, default: Fraction) -> Fraction:
        """Return a float attribute, exactly."""
        return self._attribute(name, Fraction, default)

    def text(self, name: str, default: str) -> str:
        """Return a text attribute."""
        return self._attribute(name, str, default)

    def ignore(self, *names: str) -> None:
        """Say that these attributes do not matter to inference."""
        self._asked.update(names)

    def _attribute(self, name: str, kind: type[_T], default: _T | None) -> _T:
        self._asked.add(name)
        value = self.attributes.get(name, default)
        if value is None:
            self.damaged(f"attribute {name!r} is missing")
        if not isinstance(value, kind):
            self.damaged(f"attribute {name!r} is {value!r}, not of type {kind.__name__}")
        return value

    def axis(self, value: int, rank: int, *, beyond: bool = False) -> int:
        """Return an axis counted from the front; ``beyond`` allows the one after the last."""
        if not -rank <= value < rank + beyond:
            self.damaged(f"axis {value} of a tensor of rank {rank}")
        return value % rank if value < 0 else value

    def axes(self, values: Sequence[int], rank: int) -> list[int]:
        """Return distinct axes, counted from the front."""
        result = [self.axis(value, rank) for value in values]
        if len(set(result)) != len(result):
            self.damaged(f"axes {list(values)} name one axis twice")
        return result

    def same_element(self, *tensors: Tensor) -> Element:
        """Return the one element type of all tensors."""
        elements = {tensor.element for tensor in tensors}
        if len(elements) > 1:
            names = sorted(element.name for element in elements)
            self.damaged(f"inputs of different types: {', '.join(names)}")
        return elements.pop()


def exact_constant(value: Fraction, shape: tuple[int, ...]) -> RationalArray:
    """Return an array filled with one number."""
    return RationalArray(np.full(shape, value.numerator, dtype=object), value.denominator)
