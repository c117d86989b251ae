# SPDX-License-Identifier: Apache-2.0
"""A network as the commands use it: the graph, and the bytes that it was read from.

What is verified is the graph, what is deployed is the file. Two checks tie them together, both by
running the file's bytes in onnxruntime: the import gate, before a verification, and the replay of
a counterexample, after it.
"""

from __future__ import annotations

import gzip
import io
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from verifier.errors import RefusedError, UsageError, VerifierError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from verifier.ir.graph import Graph
    from verifier.pipeline import Result
    from verifier.spec.counterexample import Counterexample
    from verifier.spec.property import InputBox, Property

_GZIP_MAGIC = b"\x1f\x8b"
MODERATE = Fraction(1 << 15)


@dataclass(frozen=True, eq=False)
class Network:
    """A network file.

    Attributes:
        path: Where it lies.
        content: Its bytes, read once.
        graph: What they say, in normal form.
    """

    path: Path
    content: bytes
    graph: Graph

    @classmethod
    def read(cls, path: Path) -> Network:
        """Read a network.

        Raises:
            UsageError: The file cannot be read.
            RefusedError: It is damaged, or uses what is not modelled.
        """
        return cls.of(path, content_of(path))

    @classmethod
    def of(cls, path: Path, content: bytes) -> Network:
        """Read a network from the bytes of a file.

        Raises:
            RefusedError: They are damaged, or use what is not modelled.
        """
        from verifier.ir.onnx_reader import read_onnx

        with refusals_of(path):
            return cls(path, content, read_onnx(content))

    def check(self, prop: Property) -> None:
        """Check that onnxruntime computes what the graph computes, on inputs of the property.

        Raises:
            PropertyError: The property does not fit the network.
            RefusedError: It does not, or cannot run the file.
        """
        from verifier.spec.vnnlib_reader import check_fits

        check_fits(prop, self.graph)
        self.check_within(prop.cases[0].box if prop.cases else None)

    def check_within(self, box: InputBox | None) -> None:
        """Check the same within a box of its inputs.

        Raises:
            RefusedError: onnxruntime computes something else, or cannot run the file.
        """
        self._check(None if box is None else (_moderate(box.lower), _moderate(box.upper)))

    def check_around_zero(self) -> None:
        """Check the same where no property says which inputs matter.

        Raises:
            ModelError: onnxruntime computes something else, or refuses the file.
            UnsupportedError: Rounding leaves nothing to compare.
        """
        self._check(None)

    def _check(self, ends: tuple[Sequence[Fraction], Sequence[Fraction]] | None) -> None:
        from verifier.ir.import_gate import check_against_onnxruntime

        with refusals_of(self.path):
            check_against_onnxruntime(self.content, self.graph, box=ends)

    def output_at(self, x: Sequence[Fraction]) -> tuple[Fraction, ...]:
        """Return the exact output at a point."""
        from verifier.ir.evaluate import evaluate_exactly

        return evaluate_exactly(self.graph, x)

    def replay(self, result: Result, prop: Property) -> tuple[Result, str]:
        """Return the result with its counterexample replayed in onnxruntime.

        The exact counterexample stands whatever the floats say, so what goes wrong here is
        returned as a text and does not take the verdict back.
        """
        from verifier.spec.counterexample import replay_in_onnxruntime

        if result.counterexample is None:
            return result, ""
        try:
            point = self._in_floats(result.counterexample.input, prop)
            runs = replay_in_onnxruntime(self.content, prop, point)
        except VerifierError as error:
            return result, str(error)
        replayed = replace(result.counterexample, replay=tuple(runs))
        return replace(result, counterexample=replayed), ""

    def _in_floats(self, x: Sequence[Fraction], prop: Property) -> Sequence[Fraction]:
        """Return the nearest point of the input set that the network's input type can hold.

        Where there is none, the point itself: the replay rounds it and says that it left the set.
        """
        from verifier.ir.onnx_model import parse
        from verifier.spec.counterexample import is_inside, nearest_floats_inside

        element = parse(self.content).source.element
        boxes = {id(case.box): case.box for case in prop.cases}.values()
        box = next(box for box in boxes if is_inside(box, x))
        return nearest_floats_inside(box, x, element.dtype.name) or x


def content_of(path: Path) -> bytes:
    """Return the bytes of a network file, which may be compressed with gzip.

    Of one that is too large, enough is read to tell that.

    Raises:
        UsageError: The file cannot be read.
    """
    from verifier.ir.onnx_model import MAX_FILE_BYTES

    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if content.startswith(_GZIP_MAGIC):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as unpacked:
                content = unpacked.read(MAX_FILE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise UsageError(msg) from error
    return content


@contextmanager
def refusals_of(path: Path) -> Iterator[None]:
    """Name the file where something about it is refused."""
    try:
        yield
    except RefusedError as error:
        msg = f"{path}: {error}"
        raise type(error)(msg) from error


def _moderate(values: Sequence[Fraction]) -> Sequence[Fraction]:
    """Return the nearest values that every float type holds: any inputs do for a comparison."""
    return tuple(max(-MODERATE, min(value, MODERATE)) for value in values)


def counterexample_json(counterexample: Counterexample | None, problem: str) -> Any:
    """Return a counterexample as JSON values, with what went wrong in its replay."""
    if counterexample is None:
        return None
    return {
        **counterexample.json(),
        "is_confirmed_in_floats": counterexample.is_confirmed_in_floats,
        "replay_problem": problem,
    }
