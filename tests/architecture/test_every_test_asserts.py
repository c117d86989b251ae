# SPDX-License-Identifier: Apache-2.0
"""A test that asserts nothing says only that nothing crashed.

A test asserts when it contains ``assert``, enters ``pytest.raises`` or ``pytest.warns``, waits for
what it expects of a browser's page, or calls a function that does so: one of its own module, or one
whose name starts with ``assert_``, ``check_`` or ``expect_``.
"""

from __future__ import annotations

import ast

from tests.architecture.source_tree import Module, modules

ASSERTING_CALLS = {"raises", "warns", "fail", "expect"}
ASSERTING_PREFIXES = ("assert_", "check_", "expect_")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def called_names(function: FunctionNode) -> set[str]:
    called = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    plain = {call.id for call in called if isinstance(call, ast.Name)}
    return plain | {call.attr for call in called if isinstance(call, ast.Attribute)}


def asserts_itself(function: FunctionNode) -> bool:
    if any(isinstance(node, ast.Assert) for node in ast.walk(function)):
        return True
    names = called_names(function)
    return bool(names & ASSERTING_CALLS) or any(n.startswith(ASSERTING_PREFIXES) for n in names)


def asserting(module: Module) -> set[str]:
    """Return the names of the module's functions that assert, themselves or through another."""
    functions = {n.name: n for n in ast.walk(module.tree) if isinstance(n, FunctionNode)}
    found = {name for name, function in functions.items() if asserts_itself(function)}
    grown = True
    while grown:
        more = {name for name, function in functions.items() if called_names(function) & found}
        grown = not more <= found
        found |= more
    return found


def silent_tests(module: Module) -> list[str]:
    loud = asserting(module)
    return [
        f"{module.place}::{node.name}"
        for node in ast.walk(module.tree)
        if isinstance(node, FunctionNode)
        and node.name.startswith("test_")
        and node.name not in loud
    ]


def test_every_test_of_the_suite_asserts() -> None:
    silent = [test for module in modules("tests") for test in silent_tests(module)]

    assert silent == []


def test_every_test_file_has_a_test() -> None:
    files = [module for module in modules("tests") if module.path.name.startswith("test_")]

    empty = [
        module.place
        for module in files
        if not any(
            isinstance(node, FunctionNode) and node.name.startswith("test_")
            for node in ast.walk(module.tree)
        )
        and "TestCase" not in module.text  # A stateful hypothesis machine is a test by that name.
    ]
    assert files
    assert empty == []
