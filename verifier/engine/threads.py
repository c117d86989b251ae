# SPDX-License-Identifier: Apache-2.0
"""One thread for linear algebra.

The matrices of a verification are small: with a thread for each core, most of the time goes to
waiting for each other. Work is shared between processes instead.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def single_threaded() -> Iterator[None]:
    """Use one thread for linear algebra, in this process, until the end; also as a decorator."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield
