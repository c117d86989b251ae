# SPDX-License-Identifier: Apache-2.0
"""A domain or an encoding is a table from operators to functions; a gap in one must be deliberate.

The convention by which tables are found: a module-level constant whose annotation starts with
``dict[type[Operator], `` or ``Mapping[type[Operator], ``, whatever its name.
"""

from __future__ import annotations

import ast
from importlib import import_module
from typing import get_args

import pytest

from tests.architecture.source_tree import PACKAGES, modules
from verifier.ir.operators import Input, Operator

# The input's value is given, not computed, so a table need not have a row for it.
NEEDS_NO_ROW = {Input}

# "module.TABLE": operators that it leaves out on purpose, each with its reason in a comment.
DELIBERATE_GAPS: dict[str, set[type[Operator]]] = {}


def tables() -> list[str]:
    found = []
    for module in modules(*PACKAGES):
        for node in module.tree.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                kind = ast.unparse(node.annotation)
                if "dict[type[Operator], " in kind or "Mapping[type[Operator], " in kind:
                    found.append(f"{module.name}.{node.target.id}")
    return found


def test_the_convention_finds_tables() -> None:
    assert tables(), "no table is annotated dict[type[Operator], ...]: this file checks nothing"


@pytest.mark.parametrize("table", tables())
def test_a_table_has_a_row_for_each_operator(table: str) -> None:
    module, _, name = table.rpartition(".")
    rows = set(getattr(import_module(module), name))

    missing = set(get_args(Operator)) - rows - NEEDS_NO_ROW
    assert missing == DELIBERATE_GAPS.get(table, set())


def test_each_deliberate_gap_names_a_table_that_exists() -> None:
    assert set(DELIBERATE_GAPS) <= set(tables())
