# SPDX-License-Identifier: Apache-2.0
"""The repository as the architecture tests see it: its Python modules and its pages, parsed."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("verifier", "encoders", "compression", "api", "benchmarks")


@dataclass(frozen=True)
class Module:
    """One Python file."""

    path: Path

    @property
    def place(self) -> str:
        """The path from the repository root, with forward slashes."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def name(self) -> str:
        """The dotted name by which it is imported."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def text(self) -> str:
        """The source."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text, filename=self.place)

    @property
    def imported_names(self) -> set[str]:
        """Dotted names of all modules that it imports, wherever in the file that happens."""
        names: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
        return names


def modules(*folders: str) -> list[Module]:
    """Return the Python files below the given folders, in a fixed order."""
    return [Module(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def pages() -> list[Path]:
    """Return every Markdown page of the project."""
    inside = [path for folder in ("docs", "changelog.d") for path in (ROOT / folder).rglob("*.md")]
    return sorted([*ROOT.glob("*.md"), *inside])


def fenced_blocks(page: Path) -> list[tuple[str, str, str]]:
    """Return the fenced blocks of a page: language, text, and the line above the block."""
    blocks: list[tuple[str, str, str]] = []
    above, opened, body = "", None, list[str]()
    for line in page.read_text(encoding="utf-8").splitlines():
        if opened is None and line.startswith("```"):
            opened, body = line[3:].strip(), []
        elif opened is not None and line == "```":
            blocks.append((opened, "\n".join(body) + "\n", above))
            opened, above = None, ""
        elif opened is not None:
            body.append(line)
        elif line.strip():
            above = line
    return blocks
