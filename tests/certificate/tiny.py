# SPDX-License-Identifier: Apache-2.0
"""A network that fits in the head, and certificates for it written by hand.

``y = relu(x) - relu(x)`` on ``[-1, 1]`` is 0, but relaxing the two neurons one by one only gives
``y <= 1/2``. So ``y >= 1/2`` needs a split, on a phase or on the input.
"""

from __future__ import annotations

from copy import deepcopy
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from verifier.certificate.checker import CheckReport, check_certificate
from verifier.ir.fingerprint import fingerprint
from verifier.ir.graph import Graph, Node
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.rational import RationalArray
from verifier.spec.fingerprint import property_fingerprint
from verifier.spec.property import Case, InputBox, LinearConstraint, Property

if TYPE_CHECKING:
    from collections.abc import Mapping

Document = dict[str, Any]


def dense(weights: list[list[int]], bias: list[int]) -> Affine:
    flat = [entry for row in weights for entry in row]
    shape = (len(weights), len(weights[0]))
    return Affine(
        (RationalArray.from_fractions(flat, shape),),
        RationalArray.from_fractions(bias, (len(bias),)),
    )


def network() -> Graph:
    nodes = (
        Node("x", Input(), (), 1),
        Node("hidden", dense([[1], [1]], [0, 0]), (0,), 2),
        Node("relu", Relu(), (1,), 2),
        Node("y", dense([[1, -1]], [0]), (2,), 1),
    )
    return Graph(nodes)


def box(lower: int | Fraction = -1, upper: int | Fraction = 1) -> InputBox:
    return InputBox((Fraction(lower),), (Fraction(upper),))


def at_least(value: Fraction | int, *, strict: bool = False) -> LinearConstraint:
    """Return the violation ``y >= value``."""
    return LinearConstraint((), ((0, Fraction(-1)),), -Fraction(value), strict)


def one_case(*constraints: LinearConstraint, inside: InputBox | None = None) -> Property:
    return Property(1, 1, (Case(inside or box(), constraints),))


def half() -> Property:
    return one_case(at_least(Fraction(1, 2)))


def head(prop: Property, verdict: str = "holds") -> Document:
    return {
        "format": "mucg4-certificate/1",
        "verdict": verdict,
        "semantics": "real",
        "network": fingerprint(network()),
        "property": property_fingerprint(prop),
    }


def root(case: int = 0) -> Document:
    return {"parent": None, "case": case, "slopes": [[[0, 1], [0.5, "1/2"]]], "alpha": [[]]}


def child(literal: int, alpha: tuple[int, ...] = (), parent: int = 0) -> Document:
    return {"parent": parent, "literals": [literal], "alpha": [list(alpha)]}


def core(region: int, case: int = 0, **changes: Any) -> Document:
    return {"region": region, "case": case, "rows": [1], "neurons": [], "masses": []} | changes


def split_on_a_phase() -> Document:
    """Prove ``y < 1/2``: where neuron 0 is active ``y = x - relu(x)``, else ``y = -relu(x)``."""
    return head(half()) | {
        "atoms": [["case", 0], ["phase", 0, 0]],
        "regions": [root(), child(2, alpha=(1,)), child(-2)],
        "cores": [core(1), core(2)],
        "clauses": [[]],
    }


def split_on_the_input() -> Document:
    """Prove the same by cutting the box at 0."""
    return split_on_a_phase() | {
        "atoms": [["case", 0], ["at_most", 0, 0.0]],
        "regions": [root(), child(2), child(-2)],
    }


def touching() -> tuple[Document, Property]:
    """Return a proof of ``y <= 1/2`` without a split: zero slack, so it must be strict."""
    prop = one_case(at_least(Fraction(1, 2), strict=True))
    return head(prop) | {
        "atoms": [["case", 0]],
        "regions": [root()],
        "cores": [core(0, neurons=[[0, 1, 0.5, 0]])],
        "clauses": [[]],
    }, prop


def check(document: Mapping[str, Any], prop: Property | None = None) -> CheckReport:
    return check_certificate(document, network(), prop or half())


def edited(document: Document, path: str, value: Any) -> Document:
    """Return a copy in which the entry at a dotted path is another one."""
    copy = deepcopy(document)
    *way, last = path.split(".")
    place: Any = copy
    for key in way:
        place = place[int(key) if isinstance(place, list) else key]
    place[int(last) if isinstance(place, list) else last] = value
    return copy


def without(document: Document, path: str) -> Document:
    """Return a copy without the entry at a dotted path."""
    copy = deepcopy(document)
    *way, last = path.split(".")
    place: Any = copy
    for key in way:
        place = place[int(key) if isinstance(place, list) else key]
    del place[int(last) if isinstance(place, list) else last]
    return copy
