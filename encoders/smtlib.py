# SPDX-License-Identifier: Apache-2.0
"""A network and its property as an SMT-LIB 2.6 script in QF_LRA, for any solver.

``sat`` means that the property is violated, by the values of ``x_0 ...``; ``unsat`` that it holds.
The script is the formula that ``session.py`` solves, statement by statement: preactivations and
outputs are ``define-fun`` macros without arguments, which solvers expand like our own terms.

It is written row by row, so the size of the network is limited by the disk and not by memory. The
digests come last, because they are taken from the text on its way out; they identify network and
property independent of the files that they came from.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, TextIO

from encoders.base import Declare, Define, Linear, Require, RequireAny, Statement
from encoders.real_arithmetic import check_fit, encode_network, encode_property

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction

    from encoders.base import Bounds
    from verifier.ir.graph import Graph
    from verifier.spec.property import Property

_LEGEND = (
    "x_i: input i.  y_j: output j.  z_l_i: preactivation of ReLU i in layer l.  r_l_i: its value.",
    "s_l_i: whether it is active.  case_k: whether case k of the property is the violated one.",
    "sat: the property is violated.  unsat: it holds, in real arithmetic on the stored weights.",
)


def to_smtlib(
    graph: Graph,
    prop: Property,
    *,
    comments: Sequence[str] = (),
    bounds: Bounds | None = None,
) -> str:
    """Return the script as one string; see ``write_smtlib``."""
    stream = io.StringIO()
    write_smtlib(graph, prop, stream, comments=comments, bounds=bounds)
    return stream.getvalue()


def write_smtlib(
    graph: Graph,
    prop: Property,
    stream: TextIO,
    *,
    comments: Sequence[str] = (),
    bounds: Bounds | None = None,
) -> None:
    """Write the script.

    Args:
        graph: In normal form.
        prop: What to violate.
        stream: Where to.
        comments: Lines for the top, such as the names and hashes of the files.
        bounds: Preactivation bounds, true for every input of every case. They are built in
            without proof: the script then means what it says only where they are true.

    Raises:
        PropertyError: The property does not fit the network.
        UnsupportedError: The graph is not in normal form, or has an unknown operator.
        ValueError: Bounds cross, or name neurons that do not exist.
    """
    check_fit(graph, prop)
    shape = (
        f"network {graph.input_name} -> {graph.output_name}: {graph.input_width} inputs, "
        f"{graph.output_width} outputs, ReLU layers {list(graph.layer_widths)}"
    )
    for text in (*comments, shape, *_LEGEND):
        stream.writelines(f"; {line}\n" for line in text.splitlines())
    stream.write("(set-info :smt-lib-version 2.6)\n(set-option :produce-models true)\n")
    stream.write("(set-logic QF_LRA)\n")
    network = _write(stream, encode_network(graph, bounds))
    question = _write(stream, encode_property(prop))
    stream.write("(check-sat)\n")
    stream.write(f"; network sha256 {network}\n; property sha256 {question}\n(exit)\n")


def _write(stream: TextIO, statements: Iterable[Statement]) -> str:
    """Write statements and return the digest of their text."""
    digest = hashlib.sha256()
    for statement in statements:
        line = _command(statement)
        digest.update(line.encode())
        stream.write(line)
    return digest.hexdigest()


def _command(statement: Statement) -> str:
    match statement:
        case Declare(name, sort):
            return f"(declare-fun {name} () {sort})\n"
        case Define(name, value):
            return f"(define-fun {name} () Real {_linear(value)})\n"
        case RequireAny(selectors):
            return f"(assert {_joined('or', list(selectors), 'false')})\n"
        case Require(left, relation, right, guards):
            atom = f"({relation} {_linear(left)} {_number(right)})"
            if not guards:
                return f"(assert {atom})\n"
            conditions = [name if value else f"(not {name})" for name, value in guards]
            return f"(assert (=> {_joined('and', conditions, 'true')} {atom}))\n"


def _linear(linear: Linear) -> str:
    parts = [
        name if factor == 1 else f"(* {_number(factor)} {name})" for factor, name in linear.terms
    ]
    if linear.constant or not parts:
        parts.append(_number(linear.constant))
    return _joined("+", parts, "0.0")


def _joined(operator: str, parts: list[str], empty: str) -> str:
    if len(parts) > 1:
        return f"({operator} {' '.join(parts)})"
    return parts[0] if parts else empty


def _number(value: Fraction) -> str:
    """Write a rational with the decimals and the unary minus that SMT-LIB's reals demand."""
    size = abs(value)
    digits = f"{size.numerator}.0"
    if size.denominator != 1:
        digits = f"(/ {digits} {size.denominator}.0)"
    return f"(- {digits})" if value < 0 else digits
