# SPDX-License-Identifier: Apache-2.0
"""One thread for linear algebra.

The matrices of a verification are small: with a thread for each core, most of the time goes to
waiting for each other. Work is shared between processes instead.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def single_threaded() -> Iterator[None]:
    """Use one thread for linear algebra, in this process, until the end; also as a decorator."""
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """Return what controls numpy's linear algebra; looking for libraries takes a millisecond.

    The one that comes with compiled loops is limited when they are loaded.
    """
    return ThreadpoolController()
