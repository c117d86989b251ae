# SPDX-License-Identifier: Apache-2.0
"""Files that we ship for other people's builds."""

from __future__ import annotations

from typing import Any

import yaml

from tests.end_to_end.scratch_repository import ROOT


def document(name: str) -> Any:
    """Return what a file in YAML says."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
