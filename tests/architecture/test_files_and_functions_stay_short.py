# SPDX-License-Identifier: Apache-2.0
"""Files of at most 400 lines and functions of at most 40, because longer ones are only believed.

A function is measured from its ``def`` to its last line, less its docstring: a contract well
explained must not cost room for code. Parameters (at most 6) are ruff's business.
"""

from __future__ import annotations

import ast

from tests.architecture.source_tree import PACKAGES, Module, modules

FILE_LIMIT = 400
FUNCTION_LIMIT = 40

# Place (a path, or "path::function") to the reason why cutting it would read worse.
ALLOWED_LONG_FILES: dict[str, str] = {}
ALLOWED_LONG_FUNCTIONS: dict[str, str] = {}

FOLDERS = (*PACKAGES, "tests")
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def functions(module: Module) -> list[FunctionNode]:
    return [node for node in ast.walk(module.tree) if isinstance(node, FunctionNode)]


def length(function: FunctionNode) -> int:
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


def test_no_file_is_longer_than_the_limit() -> None:
    lengths = {module.place: len(module.text.splitlines()) for module in modules(*FOLDERS)}

    offenders = {place: lines for place, lines in lengths.items() if lines > FILE_LIMIT}
    assert offenders.keys() == ALLOWED_LONG_FILES.keys(), offenders


def test_no_function_is_longer_than_the_limit() -> None:
    lengths = {
        f"{module.place}::{function.name}": length(function)
        for module in modules(*FOLDERS)
        for function in functions(module)
    }

    offenders = {place: lines for place, lines in lengths.items() if lines > FUNCTION_LIMIT}
    assert offenders.keys() == ALLOWED_LONG_FUNCTIONS.keys(), offenders


def test_each_allowance_says_why() -> None:
    reasons = [*ALLOWED_LONG_FILES.values(), *ALLOWED_LONG_FUNCTIONS.values()]

    assert all(reason.strip() for reason in reasons)


def test_a_docstring_does_not_count_as_function_length() -> None:
    tree = ast.parse('def f():\n    """One.\n\n    Two.\n    """\n    return 1\n')
    function = tree.body[0]

    assert isinstance(function, ast.FunctionDef)
    assert length(function) == 2
