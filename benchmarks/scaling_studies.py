# SPDX-License-Identifier: Apache-2.0
"""What proof and reuse cost as one quantity grows and the others stay.

* *width* and *depth*: classifiers of digits with two ever wider layers, and with ever more layers
of 64 neurons; three properties each, of which each stays as far below an attack's success. The
variant has 8-bit weights.
* *cores*: ACAS Xu networks, which have 300 neurons all, with properties whose proofs have from
one core to thousands. The variant has lost 1 % of its weights.
* *variants*: ever more variants of one ACAS Xu network with one property, in one process: in turn
one with 8-bit weights, rounded in another way each time, and one pruned a little more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain, product
from typing import TYPE_CHECKING

from benchmarks.digit_networks import digit_network, digit_property
from benchmarks.timing import cpu_seconds, warm_up
from compression.registry import make_method
from verifier.ir.onnx_reader import read_onnx
from verifier.options import EngineOptions
from verifier.pipeline import prove, reverify
from verifier.spec.vnnlib_reader import read_vnnlib
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from compression.base import CompressionResult
    from verifier.ir.graph import Graph
    from verifier.pipeline import Result
    from verifier.proof.store import Proof
    from verifier.spec.property import Property

OPTIONS = EngineOptions(timeout_seconds=120.0, compiled=True)
VERDICT_ONLY = replace(OPTIONS, minimize=False)

WIDE = (32, 64, 128, 256, 512)
DEEP = (1, 2, 3, 4, 5)
LAYER = 64
LABELS = (0, 1, 2)

BY_CORES = (
    ("3_3", 4),
    ("2_1", 3),
    ("1_1", 3),
    ("1_1", 2),
    ("3_6", 1),
    ("2_3", 1),
    ("1_1", 5),
    ("4_2", 2),
    ("1_1", 6),
)
ONE = ("1_7", 2)
COUNTS = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Point:
    """One measurement; all costs are CPU seconds.

    Attributes:
        study: ``width``, ``depth``, ``cores`` or ``variants``.
        network: Which network.
        prop: Which property: a digit, or the number of one of ACAS Xu's.
        size: How much there is of what the study is named after; neurons for the first two.
        cores: Of the original's proof.
        original: Cost of the original's proof, with cores made for reuse.
        scratch: Cost of the variants from scratch.
        reuse: Cost of the variants by reuse.
        verdicts: Of the variants, from scratch and then by reuse; none where the original has no
            proof, so that there was nothing to reuse.
    """

    study: str
    network: str
    prop: int
    size: int
    cores: int
    original: float
    scratch: float
    reuse: float
    verdicts: tuple[tuple[str, str], ...]

    @property
    def is_wrong(self) -> bool:
        """Whether two verdicts contradict each other."""
        return any({Verdict.HOLDS, Verdict.VIOLATED} == set(pair) for pair in self.verdicts)


def points(data: Path) -> Iterator[Point]:
    """Measure everything.

    Args:
        data: The folder of benchmark networks.
    """
    warm_up()
    yield from digit_points("width", {2 * width: (width, width) for width in WIDE})
    yield from digit_points("depth", {LAYER * count: (LAYER,) * count for count in DEEP})
    yield from core_points(data)
    yield from variant_points(data)


def digit_points(study: str, networks: dict[int, tuple[int, ...]]) -> Iterator[Point]:
    """Measure digit networks by their number of neurons."""
    for neurons, widths in networks.items():
        graph = digit_network(widths)
        variant = make_method("integer_quantisation", ("bits=8",)).apply(graph)
        for label in LABELS:
            prop = digit_property(graph, label)
            subject = (study, "-".join(map(str, widths)), label)
            yield _measured(subject, (graph, prop), [variant], neurons)


def core_points(data: Path) -> Iterator[Point]:
    """Measure proofs of different size of networks of one size."""
    for name, number in BY_CORES:
        graph, prop = _acas_xu(data, name, number)
        variant = make_method("magnitude_pruning", ("sparsity=1/100",)).apply(graph)
        yield _measured(("cores", name, number), (graph, prop), [variant])


def variant_points(data: Path) -> Iterator[Point]:
    """Measure ever more variants of one network."""
    graph, prop = _acas_xu(data, *ONE)
    variants = eight_bit_and_pruned(graph)
    for count in COUNTS:
        yield _measured(("variants", *ONE), (graph, prop), variants[:count], count)


def reverify_all(
    variants: Sequence[CompressionResult], prop: Property, proof: Proof
) -> list[Result]:
    """Verify all variants of one original by reuse, in one process."""
    return [
        reverify(variant.graph, prop, proof, variant.neuron_map, VERDICT_ONLY)
        for variant in variants
    ]


def _measured(
    subject: tuple[str, str, int],
    original: tuple[Graph, Property],
    variants: Sequence[CompressionResult],
    size: int | None = None,
) -> Point:
    """Return the point of an original.

    Args:
        subject: Study, network and property.
        original: The network and the property themselves.
        variants: What to verify by reuse and from scratch.
        size: By default the number of cores.
    """
    graph, prop = original
    result, cost = cpu_seconds(lambda: prove(graph, prop, OPTIONS))
    proof = result.proof
    if proof is None or proof.verdict is not Verdict.HOLDS:
        return Point(*subject, size or 0, 0, cost, 0.0, 0.0, ())
    reused, reuse = cpu_seconds(lambda: reverify_all(variants, prop, proof))
    fresh, scratch = cpu_seconds(lambda: [prove(v.graph, prop, VERDICT_ONLY) for v in variants])
    verdicts = tuple((str(a.verdict), str(b.verdict)) for a, b in zip(fresh, reused, strict=True))
    cores = len(proof.cores)
    return Point(*subject, size or cores, cores, cost, scratch, reuse, verdicts)


def _acas_xu(data: Path, name: str, number: int) -> tuple[Graph, Property]:
    folder = data / "acasxu"
    return (
        read_onnx(folder / "onnx" / f"ACASXU_run2a_{name}_batch_2000.onnx"),
        read_vnnlib(folder / "vnnlib" / f"prop_{number}.vnnlib"),
    )


def eight_bit_and_pruned(graph: Graph) -> list[CompressionResult]:
    """Return as many variants as are wanted, no two alike, kinds in turn."""
    choices = product(
        ("nearest", "truncate"),
        ("channel", "tensor"),
        ("symmetric", "asymmetric"),
        ("short", "float32"),
    )
    rounded = [
        ("bits=8", f"rounding={r}", f"granularity={g}", f"symmetry={s}", f"scale={c}")
        for r, g, s, c in choices
    ]
    pruned = [(f"sparsity={step}/400",) for step in range(1, len(rounded) + 1)]
    quantise = [make_method("integer_quantisation", options) for options in rounded]
    prune = [make_method("magnitude_pruning", options) for options in pruned]
    return [method.apply(graph) for method in chain(*zip(quantise, prune, strict=True))]
