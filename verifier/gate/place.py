# SPDX-License-Identifier: Apache-2.0
"""Where in a source tree a check is about: a line of its property.

Services that show findings beside the code count paths from the root of the repository. That is the
nearest folder around the manifest with ``.git`` in it, or the manifest's own folder where there is
none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING
from urllib.parse import quote

from verifier.errors import VerifierError
from verifier.spec.assertion_place import OutputAssertion
from verifier.spec.s_expression import Source
from verifier.spec.vnnlib_reader import text_of

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.gate.check import Check
    from verifier.gate.manifest import Manifest


@dataclass(frozen=True)
class Place:
    """A line of a file.

    Attributes:
        path: The file, from the root, with forward slashes.
        line: Its number, from 1; 1 where the file has no lines, or none that could be found.
        text: What stands there; empty where that is not known.
    """

    path: str
    line: int
    text: str

    @property
    def uri(self) -> str:
        """The file as a relative reference of RFC 3986."""
        return quote(os.fsencode(self.path))


class Places:
    """Finds places; reads each property once.

    Args:
        manifest: What names are relative to.
    """

    def __init__(self, manifest: Manifest) -> None:
        folder = manifest.path.resolve().parent
        self._folder = folder.relative_to(_root(folder)).as_posix()
        self._manifest = manifest
        self._assertions: dict[bytes, OutputAssertion | None] = {}

    @property
    def manifest(self) -> str:
        """The manifest's path from the root."""
        return self.path(self._manifest.path.name)

    def of(self, check: Check) -> Place:
        """Return the place of the assertion over outputs of a check's property.

        Where a counterexample satisfies one part of it, the place of that part.
        """
        path = self.path(check.question.prop)
        content = check.inputs.get("property.vnnlib", b"")
        if content not in self._assertions:
            self._assertions[content] = _assertion(content)
        assertion = self._assertions[content]
        if assertion is None:
            return Place(path, 1, "")
        found = check.counterexample
        point = None
        if found is not None:
            point = tuple(map(Fraction, found["input"])), tuple(map(Fraction, found["output"]))
        line = assertion.line(point)
        text = assertion.terms.source.text.split("\n")[line - 1].strip()
        return Place(path, line, text)

    def path(self, name: str) -> str:
        """Return the path from the root of a file that the manifest names."""
        return os.path.normpath(f"{self._folder}/{name}").replace(os.sep, "/")


def _assertion(content: bytes) -> OutputAssertion | None:
    """Return the assertion over outputs; nothing where no text has one, as in a packed file."""
    try:
        return OutputAssertion.of(Source("", text_of(content, "")))
    except VerifierError:
        # What is wrong with it is the reason of the check.
        return None


def _root(folder: Path) -> Path:
    around = (folder, *folder.parents)
    return next((place for place in around if (place / ".git").exists()), folder)
