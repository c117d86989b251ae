# SPDX-License-Identifier: Apache-2.0
"""What a test does where the machine lacks what it needs.

It is left out, and the reason is printed at the end of the run. In continuous integration nothing
may be left out: there ``MUCG4_ALL_REQUIRED=1`` makes it fail instead.
"""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacking(what: str) -> NoReturn:
    """End a test that cannot run."""
    if os.environ.get("MUCG4_ALL_REQUIRED"):
        pytest.fail(f"{what}; MUCG4_ALL_REQUIRED is set, so no test may be left out")
    pytest.skip(what)
