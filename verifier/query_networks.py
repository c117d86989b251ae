# SPDX-License-Identifier: Apache-2.0
"""The files that stand for the networks of a query, read side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from verifier.errors import UsageError, VerifierError
from verifier.network_file import Network, content_of, refusals_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction
    from pathlib import Path

    from verifier.ir.graph import Graph
    from verifier.spec.counterexample import Counterexample
    from verifier.spec.query import NetworkDeclaration, Query, Tensor


@dataclass(frozen=True, eq=False)
class QueryNetworks:
    """The networks of a query.

    Attributes:
        query: The query.
        networks: One for each that it declares, with one input and one output vector.
        inputs: For each of them, which input of the property each of its inputs is.
    """

    query: Query
    networks: tuple[Network, ...]
    inputs: tuple[tuple[int, ...], ...]

    @classmethod
    def read(cls, query: Query, files: Mapping[str, Path]) -> QueryNetworks:
        """Read the files by the names that the query gives to networks.

        Raises:
            UsageError: A name is missing, unknown or too many, a file cannot be read, or two have
                not the same structure where the query says so.
            RefusedError: A file is damaged, uses what is not modelled, or has not the tensors that
                the query declares.
        """
        files = _complete(query, files)
        contents = {name: content_of(path) for name, path in files.items()}
        _check_equivalences(query, files, contents)
        found: dict[str, Network] = {}
        for declared in query.networks:
            name = declared.name
            other = next((o for o in query.networks if o.name == declared.equal_to), declared)
            if other is not declared and _hidden(other) == _hidden(declared):
                found[name] = found[other.name]
            else:
                found[name] = _network(declared, files[name], contents[name])
        networks = tuple(found.values())
        entries = iter(query.shared)
        inputs = tuple(tuple(islice(entries, net.graph.input_width)) for net in networks)
        return cls(query, networks, inputs)

    @cached_property
    def graph(self) -> Graph:
        """All networks as one."""
        from verifier.ir.product import product

        if len(self.networks) == 1:
            return self.networks[0].graph
        width = self.query.property.input_width
        return product([network.graph for network in self.networks], self.inputs, width)

    def check(self) -> None:
        """Check that onnxruntime computes what the graphs compute, on inputs of the property.

        Raises:
            RefusedError: It does not, or cannot run a file.
        """
        from verifier.spec.property import InputBox

        cases = self.query.property.cases
        for network, entries in zip(self.networks, self.inputs, strict=True):
            box = None
            if cases:
                lower, upper = cases[0].box.lower, cases[0].box.upper
                box = InputBox(tuple(lower[i] for i in entries), tuple(upper[i] for i in entries))
            network.check_within(box)

    def replayed(self, found: Counterexample) -> tuple[Counterexample, str]:
        """Return the counterexample that runs best in floats, with its runs.

        That is its neighbour of floats if both exact arithmetic and onnxruntime find a violation
        there, else the exact point. What goes wrong in a run is returned as a text.
        """
        from verifier.spec.counterexample import replay_exactly, replay_side_by_side

        prop = self.query.property
        models = [
            (n.content, entries) for n, entries in zip(self.networks, self.inputs, strict=True)
        ]
        try:
            near = self._neighbour(found.input)
            exact = None if near is None else replay_exactly(self.graph, prop, near)
            best = exact or found
            return replace(best, replay=tuple(replay_side_by_side(models, prop, best.input))), ""
        except VerifierError as error:
            return found, str(error)

    def _neighbour(self, x: Sequence[Fraction]) -> tuple[Fraction, ...] | None:
        from verifier.ir.onnx_model import parse
        from verifier.spec.counterexample import is_inside, nearest_floats_inside

        element = parse(self.networks[0].content).source.element
        boxes = {id(case.box): case.box for case in self.query.property.cases}.values()
        box = next(box for box in boxes if is_inside(box, x))
        return nearest_floats_inside(box, x, element.dtype.name)


def _complete(query: Query, files: Mapping[str, Path]) -> dict[str, Path]:
    """Return a file for each declared network."""
    if query.version == 1:
        if len(files) != 1:
            msg = "a property in VNN-LIB 1.0 is of one network: give --network NAME=FILE once"
            raise UsageError(msg)
        return {"": next(iter(files.values()))}
    declared = [network.name for network in query.networks]
    unknown = next((name for name in files if name not in declared), None)
    if unknown is not None:
        forms = ", ".join(f"--network {name}=FILE" for name in declared)
        msg = f"--network {unknown}: the query has no such network; give {forms}"
        raise UsageError(msg)
    found: dict[str, Path] = {}
    for network in query.networks:
        if network.equal_to and network.name in files:
            msg = (
                f"--network {network.name}: declared equal to {network.equal_to}, it takes no file"
            )
            raise UsageError(msg)
        path = files.get(network.name) or found.get(network.equal_to)
        if path is None:
            msg = f"network {network.name} has no file; give --network {network.name}=FILE"
            raise UsageError(msg)
        found[network.name] = path
    return found


def _hidden(network: NetworkDeclaration) -> list[tuple[str, int]]:
    """Return the names of hidden nodes in the file, and how many entries each is said to have."""
    return [(tensor.node_name, tensor.width) for tensor in network.hidden]


def _check_equivalences(
    query: Query, files: Mapping[str, Path], contents: Mapping[str, bytes]
) -> None:
    from verifier.ir.onnx_structure import structure

    declared = {network.name: network for network in query.networks}
    for name, network in declared.items():
        other = network.isomorphic_to
        if not other:
            continue
        found = []
        for each in (name, other):
            with refusals_of(files[each]):
                # Which hidden nodes a query speaks of is no part of what a network is.
                visible = replace(declared[each], hidden=())
                found.append(structure(_vectors(visible, contents[each])))
        if found[0] != found[1]:
            msg = f"{files[name]}: {name} has not the structure of {other}, as is declared"
            raise UsageError(msg)


def _vectors(declared: NetworkDeclaration, content: bytes) -> bytes:
    """Return the model with one input and one output vector."""
    from verifier.ir.onnx_flattened import Wanted, flattened

    def wanted(tensors: Sequence[Tensor]) -> list[Wanted]:
        return [Wanted(t.name, t.width, t.node_name) for t in tensors]

    return flattened(content, *map(wanted, (declared.inputs, declared.outputs, declared.hidden)))


def _network(declared: NetworkDeclaration, path: Path, content: bytes) -> Network:
    with refusals_of(path):
        vectors = _vectors(declared, content)
    network = Network.of(path, vectors)
    for what, tensors, width in (
        ("inputs", declared.inputs, network.graph.input_width),
        ("outputs", declared.results, network.graph.output_width),
    ):
        count = sum(tensor.width for tensor in tensors)
        if count != width:
            msg = f"{path}: the query declares {count} {what}, the network has {width}"
            raise UsageError(msg)
    return network
