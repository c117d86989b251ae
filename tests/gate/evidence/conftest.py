# SPDX-License-Identifier: Apache-2.0
"""A pack that tests share, and copies that they may spoil."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.gate.evidence.packs import Pack, report_in

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.gate.check import Report


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Return a report with two checks that passed and two that failed."""
    return report_in(tmp_path_factory.mktemp("gate"))


@pytest.fixture(scope="session")
def pack(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Return a pack that no test changes."""
    return Pack.write(tmp_path_factory.mktemp("packs") / "pack", report)


@pytest.fixture
def copy(pack: Pack, tmp_path: Path) -> Pack:
    """Return a copy of the pack that a test may change."""
    folder = tmp_path / "pack"
    shutil.copytree(pack.folder, folder)
    return Pack(folder, pack.key, pack.report)
