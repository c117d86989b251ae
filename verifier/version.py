# SPDX-License-Identifier: Apache-2.0
"""Which version of this program runs."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path


def version() -> str:
    """Return the version of the installed package, or of the source tree this runs from."""
    try:
        return installed_version("mucg4")
    except PackageNotFoundError:
        text = Path(__file__).parents[1].joinpath("pyproject.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["project"]["version"])
