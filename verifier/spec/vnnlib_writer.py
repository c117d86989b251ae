# SPDX-License-Identifier: Apache-2.0
"""Writes properties and queries in VNN-LIB, without rounding.

A rational with a finite decimal expansion is written as that decimal. Any other is a quotient
``(/ p q)`` in version 1.0; version 2.0 has no division, so there the comparison is multiplied by
its denominator, which changes how it is written and not what it means. Reading a text gives the
same numbers, but for the factor of such a comparison if it is not a bound on one input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier.spec.assertion_writer import AssertionWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier.spec.property import Property
    from verifier.spec.query import NetworkDeclaration, Query, Tensor

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f"}


def write_vnnlib(prop: Property) -> str:
    """Return the text of a property in version 1.0; reading it gives the same cases.

    Raises:
        PropertyError: A number has more digits than the reader takes by default.
    """
    declarations = [f"(declare-const X_{i} Real)" for i in range(prop.input_width)]
    declarations += [f"(declare-const Y_{j} Real)" for j in range(prop.output_width)]
    writer = AssertionWriter("X_{}".format, "Y_{}".format, has_division=True)
    return "\n".join([*declarations, "", *writer.assertions(prop.cases), ""])


def write_query(query: Query) -> str:
    """Return the text of a query in version 2.0; reading it gives the same declarations and cases.

    A query that was read from version 1.0 is about a network named ``network``.

    Raises:
        PropertyError: A number has more digits than the reader takes by default.
    """
    inputs, first = query.inputs, query.first_entries
    writer = AssertionWriter(
        lambda i: inputs.entry(first[i]), query.results.entry, has_division=False
    )
    lines = [line for network in query.networks for line in _declaration(network)]
    lines += ["", *_equalities(query), *writer.assertions(query.property.cases), ""]
    return "\n".join(["(vnnlib-version <2.0>)", "", *lines])


def _declaration(network: NetworkDeclaration) -> Iterator[str]:
    yield f"(declare-network {network.name or 'network'}"
    for relation, name in (
        ("equal-to", network.equal_to),
        ("isomorphic-to", network.isomorphic_to),
    ):
        if name:
            yield f"    ({relation} {name})"
    for tensor in network.inputs:
        yield f"    (declare-input {_tensor(tensor)})"
    for tensor in network.hidden:
        quoted = "".join(_ESCAPES.get(letter, letter) for letter in tensor.node_name)
        yield f'    (declare-hidden {_tensor(tensor)} "{quoted}")'
    for tensor in network.outputs:
        yield f"    (declare-output {_tensor(tensor)})"
    yield ")"


def _tensor(tensor: Tensor) -> str:
    return f"{tensor.name} {tensor.element_type} [{','.join(map(str, tensor.shape))}]"


def _equalities(query: Query) -> Iterator[str]:
    """Say which inputs are one."""
    for entry, position in enumerate(query.shared):
        leader = query.first_entries[position]
        if leader != entry:
            names = query.inputs.entry(leader), query.inputs.entry(entry)
            yield f"(assert (== {names[0]} {names[1]}))"
