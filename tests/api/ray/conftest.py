# SPDX-License-Identifier: Apache-2.0
"""A server with a cluster for all tests of a file: it takes seconds to start."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from api.client import Client
from tests.api.ray.clusters import ray_server, short_folder
from tests.lacking import lacking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.api.server_process import ServerProcess


@pytest.fixture(scope="session")
def ray_folder() -> Iterator[Path]:
    """Yield a folder with a short path, where there is Ray."""
    if find_spec("ray") is None:
        lacking("Ray is not installed (pip install 'mucg4[ray]')")
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def ray_server_process(ray_folder: Path) -> Iterator[ServerProcess]:
    """Yield a server with one worker and a cluster of its own."""
    folder = ray_folder / str(len(list(ray_folder.iterdir())))
    folder.mkdir()
    with ray_server(folder, workers=1) as server:
        yield server


@pytest.fixture
def client(ray_server_process: ServerProcess) -> Iterator[Client]:
    """Yield a client of that server."""
    with Client(ray_server_process.address, ray_server_process.key) as opened:
        yield opened
