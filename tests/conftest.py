# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every suite shares, and how hypothesis runs.

The profile ``ci`` is the default and derandomized, so that a run says the same thing twice;
``HYPOTHESIS_PROFILE=nightly`` searches at random, longer, and keeps what it finds.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.lacking import lacking

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    max_examples=40,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("nightly", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of benchmark networks and properties."""
    folder = os.environ.get("MUCG4_DATA")
    if not folder:
        lacking("MUCG4_DATA does not name the folder of benchmark networks")
    return Path(folder)
