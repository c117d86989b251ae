# SPDX-License-Identifier: Apache-2.0
"""An assignment to the variables of a query: what a solver prints after ``sat``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from verifier.cli.files import write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from verifier.spec.counterexample import Counterexample
    from verifier.spec.query import Query, Tensor


@dataclass(frozen=True)
class Assignment:
    """Values of all variables.

    Attributes:
        query: The query.
        inputs: A value for each input entry of the query.
        results: A value for each entry of outputs and hidden nodes.
        float_type: The floats that hold the values.
        is_confirmed: Whether exact arithmetic and onnxruntime both find that they are a violation.
    """

    query: Query
    inputs: tuple[float, ...]
    results: tuple[float, ...]
    float_type: str
    is_confirmed: bool

    @classmethod
    def of(cls, query: Query, found: Counterexample) -> Assignment:
        """Return the assignment of a counterexample: as onnxruntime runs it, where that agrees."""
        if found.is_confirmed_in_floats:
            run = found.replay[0]
            inputs, results, float_type = run.input, run.output, run.float_type
            # The run is at the exact point itself unless that had to be rounded.
            is_exact = all(a == b for a, b in zip(run.input, found.input, strict=True))
        else:
            inputs = tuple(float(value) for value in found.input)
            results = tuple(float(value) for value in found.output)
            float_type, is_exact = "float64", False
        spread = tuple(inputs[position] for position in query.shared)
        return cls(query, spread, results, float_type, is_exact)

    def text(self) -> str:
        """Return the values as VNN-LIB's version asks for them.

        Version 2.0 has a line ``name type [shape]`` for each variable in the order of declaration,
        and a line for each of its entries, in row-major order. Version 1.0 leaves it to VNN-COMP:
        ``(name value)`` for each entry, one pair of parentheses around all.
        """
        if self.query.version == 1:
            pairs = [
                f"({tensor.name}_{i} {value!r})"
                for tensor, values in self._values().items()
                for i, value in enumerate(values)
            ]
            return "(" + "\n ".join(pairs) + ")"
        values = self._values()
        lines = []
        for network in self.query.networks:
            for tensor in network.tensors:
                shape = ",".join(map(str, tensor.shape))
                lines += [f"{tensor.name} {tensor.element_type} [{shape}]"]
                lines += [repr(value) for value in values[tensor]]
        return "\n".join(lines)

    def _values(self) -> dict[Tensor, Sequence[float]]:
        """Return the entries of each variable."""
        found: dict[Tensor, Sequence[float]] = {}
        for row, entries in ((self.query.inputs, self.inputs), (self.query.results, self.results)):
            for tensor, start in zip(row.tensors, row.starts, strict=False):
                found[tensor] = entries[start : start + tensor.width]
        return found

    def write(self, folder: Path) -> None:
        """Write each variable as ``NAME.pb``, an ONNX tensor of its declared shape.

        Raises:
            UsageError: A file cannot be written.
        """
        from verifier.ir.tensor_file import tensor_bytes

        for tensor, values in self._values().items():
            content = tensor_bytes(tensor.name, values, tensor.shape, self.float_type)
            write(folder / f"{tensor.name}.pb", partial(_write_bytes, content))


def _write_bytes(content: bytes, place: Path) -> None:
    place.write_bytes(content)
