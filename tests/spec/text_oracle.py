# SPDX-License-Identifier: Apache-2.0
"""An independent reading of VNN-LIB text: evaluate the assertions at one point.

It shares nothing with the reader: it splits on white space, recurses, knows no normal form, and
computes each operator as SMT-LIB defines it. It trusts its input to be well-formed.
"""

from __future__ import annotations

import operator
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Tree = Any  # A string or a list of trees.

_COMPARE = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}
_COMPUTE = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def assertions(text: str) -> list[Tree]:
    """Return the asserted trees."""
    lines = [line.split(";")[0] for line in text.split("\n")]
    words = " ".join(lines).replace("(", " ( ").replace(")", " ) ").split()
    stack: list[list[Tree]] = [[]]
    for word in words:
        if word == "(":
            stack.append([])
        elif word == ")":
            closed = stack.pop()
            stack[-1].append(closed)
        else:
            stack[-1].append(word)
    return [tree[1] for tree in stack[0] if tree[0] == "assert"]


def holds(tree: Tree, values: Mapping[str, Fraction]) -> bool:
    """Return whether a formula is true."""
    if isinstance(tree, str):
        return tree == "true"
    head, *operands = tree
    if head == "and":
        return all(holds(part, values) for part in operands)
    if head == "or":
        return any(holds(part, values) for part in operands)
    if head == "not":
        return not holds(operands[0], values)
    numbers = [value(part, values) for part in operands]
    return all(_COMPARE[head](a, b) for a, b in pairwise(numbers))


def value(tree: Tree, values: Mapping[str, Fraction]) -> Fraction:
    """Return the value of a term."""
    if isinstance(tree, str):
        return values[tree] if tree in values else Fraction(tree)
    head, *operands = tree
    numbers = [value(part, values) for part in operands]
    if head == "-" and len(numbers) == 1:
        return -numbers[0]
    return reduce(_COMPUTE[head], numbers)


def numerals(tree: Tree) -> set[Fraction]:
    """Return the numerals of a tree: the thresholds near which mistakes show."""
    if not isinstance(tree, str):
        return set().union(*(numerals(part) for part in tree))
    try:
        return {Fraction(tree)}
    except ValueError:
        return set()
