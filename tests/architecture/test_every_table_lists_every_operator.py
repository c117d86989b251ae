# SPDX-License-Identifier: Apache-2.0
"""Whoever tells operators apart knows all of them; a gap must be deliberate.

Two conventions are recognised, in every package:

  * a table: a module-level constant, whatever its name, whose annotation starts with
    ``dict[type[Operator], `` or ``Mapping[type[Operator], ``;
  * a ``match`` statement with an operator's class in some case. A wildcard does not count as
    knowing the others: it is how a new operator slips through.
"""

from __future__ import annotations

import ast
from importlib import import_module
from typing import get_args

import pytest

from tests.architecture.source_tree import PACKAGES, modules
from verifier.ir.operators import Input, Operator

OPERATORS = {operator.__name__ for operator in get_args(Operator)}

# The input's value is given, not computed, so a table need not have a row for it.
NEEDS_NO_ROW = {Input.__name__}

# Table or match, as the tests below name it, to the operators that it leaves out on purpose. Each
# entry has its reason in a comment.
DELIBERATE_GAPS: dict[str, set[str]] = {}


def tables() -> list[str]:
    """Return every table as ``module.NAME``."""
    return [
        f"{module.name}.{node.target.id}"
        for module in modules(*PACKAGES)
        for node in module.tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and any(
            f"{kind}[type[Operator], " in ast.unparse(node.annotation)
            for kind in ("dict", "Mapping")
        )
    ]


def named_classes(pattern: ast.pattern) -> set[str]:
    if isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
        return named_classes(pattern.pattern)
    if isinstance(pattern, ast.MatchOr):
        return {name for part in pattern.patterns for name in named_classes(part)}
    if isinstance(pattern, ast.MatchClass):
        return {ast.unparse(pattern.cls).rpartition(".")[2]}
    return set()


def matches() -> dict[str, set[str]]:
    """Return the operators that each ``match`` knows, by ``module.function``."""
    known: dict[str, set[str]] = {}
    for module in modules(*PACKAGES):
        for function in ast.walk(module.tree):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Match):
                        cases = [named_classes(case.pattern) for case in node.cases]
                        if operators := OPERATORS & {name for names in cases for name in names}:
                            known[f"{module.name}.{function.name}"] = operators
    return known


def test_the_conventions_find_something() -> None:
    assert "verifier.ir.graph._check" in matches()


@pytest.mark.parametrize("place", sorted(matches()))
def test_a_match_on_operators_knows_each_of_them(place: str) -> None:
    missing = OPERATORS - matches()[place]

    assert missing == DELIBERATE_GAPS.get(place, set())


def test_each_table_has_a_row_for_each_operator() -> None:
    for table in tables():
        module, _, name = table.rpartition(".")
        rows = {operator.__name__ for operator in getattr(import_module(module), name)}

        missing = OPERATORS - rows - NEEDS_NO_ROW
        assert missing == DELIBERATE_GAPS.get(table, set()), table


def test_each_deliberate_gap_names_a_place_that_exists() -> None:
    assert set(DELIBERATE_GAPS) <= {*tables(), *matches()}
