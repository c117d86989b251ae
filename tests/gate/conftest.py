# SPDX-License-Identifier: Apache-2.0
"""Reports that several tests read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gate.reports import ALL_KINDS, Setting, as_named, hostile_setting

if TYPE_CHECKING:
    from verifier.gate.check import Report


@pytest.fixture(scope="session")
def all_kinds(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Return a report with a check of every judgement; one of them is by reuse."""
    return Setting.make(tmp_path_factory.mktemp("all") / "models", ALL_KINDS, as_named).run()


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Return a report whose names and reasons have what formats take for something else."""
    return hostile_setting(tmp_path_factory.mktemp("hostile")).run()
