# SPDX-License-Identifier: Apache-2.0
"""Connect to a Ray cluster: the one that the settings name, or the server's own.

The server's own is started by ``api.cluster.own``, which puts down where it is and what opens it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from verifier import ray_session
from verifier.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from api.settings import Settings

START_SECONDS = 60.0
ANSWER_SECONDS = 30.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Door:
    """Where the server's own cluster is, and what opens it to nobody else.

    Attributes:
        address: Its address, on loopback.
        token: What everyone has to know who connects.
    """

    address: str
    token: str

    @property
    def environment(self) -> dict[str, str]:
        """What Ray has to be told in the environment."""
        return ray_session.environment(self.token)

    def write(self, path: Path) -> None:
        """Put it down where only this user can read it."""
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file)
        new.replace(path)

    @classmethod
    def await_at(cls, path: Path) -> Door:
        """Return what is put down, waiting for it.

        Raises:
            TimeoutError: The cluster has not been started.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                return cls(**json.loads(path.read_text(encoding="utf-8")))
            except FileNotFoundError:
                time.sleep(LOOK_SECONDS)
        msg = f"{path}: the server's own Ray has not been started"
        raise TimeoutError(msg)


def connect(settings: Settings) -> None:
    """Connect this process to the cluster.

    Raises:
        ConnectionError: It cannot be reached.
        TimeoutError: The server's own has not been started.
    """
    address = settings.ray_address
    if not address:
        door = Door.await_at(settings.ray_door)
        os.environ.update(door.environment)
        address = door.address
    ray_session.connect(address)


def check_cluster(settings: Settings) -> None:
    """Check, before a server starts, that its jobs will have somewhere to run.

    Raises:
        UsageError: Ray is not installed, or the cluster does not answer.
    """
    address = settings.ray_address
    if address.startswith("ray://"):
        msg = (
            f"ray_address is {address!r}; give HOST:PORT of the cluster's head (port 6379), and "
            f"make this machine one of its nodes: ray start --address HOST:PORT --num-cpus 0"
        )
        raise UsageError(msg)
    if find_spec("ray") is None:
        msg = "executor is 'ray', which is not installed: pip install 'mucg4[ray]'"
        raise UsageError(msg)
    if address and (reason := _refusal(settings)):
        msg = (
            f"the Ray cluster at {address} cannot be used: {reason}. `ray status --address "
            f"{address}` says whether it runs; this machine has to be one of its nodes, with the "
            f"same versions of Python and Ray, and with the cluster's RAY_AUTH_TOKEN if it has one"
        )
        raise UsageError(msg)


def _refusal(settings: Settings) -> str:
    """Return why a cluster cannot be used, nothing if it can."""
    if reason := ray_session.refusal(settings.ray_address):
        return reason
    # In a process of its own: Ray waits long for a cluster that is not there, and then ends it.
    program = [sys.executable, "-m", "api.cluster.connection"]
    try:
        tried = subprocess.run(  # noqa: S603 - our own
            program,
            input=settings.to_json(),
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it has not answered for {ANSWER_SECONDS:g} s"
    return "" if tried.returncode == 0 else _last_line(tried.stderr)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "Ray gives no reason"


if __name__ == "__main__":
    from api.settings import Settings

    connect(Settings.from_json(sys.stdin.readline()))
