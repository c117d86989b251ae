# SPDX-License-Identifier: Apache-2.0
"""Texts of queries in VNN-LIB 2.0."""

from __future__ import annotations

from hypothesis import strategies as st

ONE = """(vnnlib-version <2.0>)
(declare-network f
    (declare-input X real [2,1])
    (declare-output Y real [2])
)
"""
TWO = """(vnnlib-version <2.0>)
(declare-network f
    (declare-input X real [2])
    (declare-output Y real [])
)
(declare-network g
    (isomorphic-to f)
    (declare-input V real [2])
    (declare-output W real [])
)
"""
# The names by which a text speaks of entries, in the order in which they count.
ONE_NAMES = ("X[0,0]", "X[1,0]", "Y[0]", "Y[1]")
TWO_NAMES = ("X[0]", "X[1]", "V[0]", "V[1]", "Y", "W")


def box(names: tuple[str, ...]) -> str:
    """Return assertions that each name is in [-2, 2]."""
    return "".join(f"(assert (and (>= {n} -2.0) (<= {n} 2.0)))\n" for n in names)


def formulas(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Return formulas of the whole language whose terms are linear."""
    numbers = st.sampled_from(["0.0", "1.0", "-1.0", "0.5", "-1.50", "3.0"])
    atoms = st.sampled_from(names)
    scaled = st.builds("(* {} {})".format, numbers, atoms)

    def several(inner: st.SearchStrategy[str], least: int) -> st.SearchStrategy[str]:
        return st.lists(inner, min_size=least, max_size=3).map(" ".join)

    terms = st.recursive(
        atoms | numbers | scaled,
        lambda inner: st.builds("({} {})".format, st.sampled_from("+-"), several(inner, 1)),
        max_leaves=4,
    )
    relations = st.sampled_from(["<=", ">=", "<", ">", "==", "!="])
    comparisons = st.builds("({} {} {})".format, relations, terms, terms)
    return st.recursive(
        comparisons,
        lambda inner: st.builds(
            "({} {})".format, st.sampled_from(["and", "or"]), several(inner, 1)
        ),
        max_leaves=6,
    )
