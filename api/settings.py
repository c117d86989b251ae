# SPDX-License-Identifier: Apache-2.0
"""What an operator may choose, in one place: defaults, environment, command line.

A setting is named ``MUCG4_`` and its name in capitals in the environment; the command line comes
before the environment. Nothing else of the server reads the environment.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "MUCG4_"
MIB = 1 << 20
GIB = 1 << 30
HOUR = 3600.0


@dataclass(frozen=True)
class Settings:
    """How a server runs.

    Attributes:
        data_dir: Where the database, the files and the folders of running jobs lie.
        database_url: ``sqlite:///FILE`` or ``postgresql+psycopg://...``; empty for a file in
            ``data_dir``.
        host: The address to listen on; anything but loopback belongs behind a proxy with TLS.
        port: The port to listen on, 0 for any that is free.
        workers: How many jobs run at once.
        executor: Where jobs run: ``local``, in child processes, or ``ray``, on a Ray cluster.
        ray_address: The Ray cluster to use, ``HOST:PORT`` of its head; empty for one of the
            server's own, on this machine.
        lease_seconds: A job whose worker has not been heard of for so long is given to another.
        max_attempts: How often a job is begun before it counts as failed.
        job_memory_bytes: Address space of a job.
        job_seconds: Longest wall-clock time of a job, whatever it asks for.
        upload_bytes: Longest file that may be uploaded.
        tenant_bytes: How much a tenant may store.
        tenant_jobs: How many unfinished jobs a tenant may have.
        queued_jobs: How many unfinished jobs the server takes in all.
        requests_per_minute: How many requests a key may make.
        keep_days: Finished jobs are forgotten after so many days.
        oidc_issuer: Provider whose tokens are accepted besides keys; empty for none.
        oidc_audience: Whom such tokens are meant for.
        oidc_tenant_claim: Which claim of a token names the tenant.
    """

    data_dir: Path
    database_url: str = ""
    host: str = "127.0.0.1"
    port: int = 8484
    workers: int = 2
    executor: str = "local"
    ray_address: str = ""
    lease_seconds: float = 15.0
    max_attempts: int = 3
    job_memory_bytes: int = 8 * GIB
    job_seconds: float = 24 * HOUR
    upload_bytes: int = 512 * MIB
    tenant_bytes: int = 50 * GIB
    tenant_jobs: int = 2_000
    queued_jobs: int = 10_000
    requests_per_minute: int = 3_000
    keep_days: float = 90.0
    oidc_issuer: str = ""
    oidc_audience: str = "mucg4"
    oidc_tenant_claim: str = "tenant"

    def __post_init__(self) -> None:
        """Refuse what cannot be run.

        Raises:
            UsageError: A setting is out of range.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name == "port" else math.ulp(0.0)
            if isinstance(value, int | float) and not least <= value < math.inf:
                msg = f"{field.name} is {value}; it must be a number above 0"
                raise UsageError(msg)
        if self.executor not in ("local", "ray"):
            msg = f"executor is {self.executor!r}; there are: local, ray"
            raise UsageError(msg)

    @property
    def url(self) -> str:
        """The database to use."""
        return self.database_url or f"sqlite:///{self.data_dir / 'mucg4.sqlite'}"

    @property
    def blob_dir(self) -> Path:
        """Where files lie, named by their content."""
        return self.data_dir / "blobs"

    @property
    def job_dir(self) -> Path:
        """Where running jobs have their folders."""
        return self.data_dir / "jobs"

    @property
    def compiled_dir(self) -> Path:
        """Where compiled loops lie that every job starts with."""
        return self.data_dir / "compiled"

    @property
    def ray_door(self) -> Path:
        """Where it stands how to connect to the server's own Ray cluster."""
        return self.data_dir / "ray.json"

    @property
    def has_own_cluster(self) -> bool:
        """Whether the server starts a Ray cluster on this machine."""
        return self.executor == "ray" and not self.ray_address

    def to_json(self) -> str:
        """Return the settings as text for a worker process."""
        return json.dumps({**asdict(self), "data_dir": str(self.data_dir)})

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Read what ``to_json`` wrote."""
        values = json.loads(text)
        return cls(**{**values, "data_dir": Path(values["data_dir"])})


def read_settings(
    given: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> Settings:
    """Return the settings that a command line and an environment ask for.

    Args:
        given: Settings of the command line; None stands for not given.
        environment: Where the others are looked up.

    Raises:
        UsageError: A value is not of its kind, or out of range.
    """
    settings = Settings(default_data_dir(environment))
    chosen: dict[str, Any] = {}
    for field in fields(Settings):
        name = f"{PREFIX}{field.name.upper()}"
        if given.get(field.name) is not None:
            chosen[field.name] = given[field.name]
        elif environment.get(name):
            chosen[field.name] = _value(
                type(getattr(settings, field.name)), name, environment[name]
            )
    if "data_dir" in chosen:
        chosen["data_dir"] = Path(chosen["data_dir"]).absolute()
    return replace(settings, **chosen)


def default_data_dir(environment: Mapping[str, str]) -> Path:
    """Return the folder for data of this user (XDG base directories)."""
    base = environment.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base).absolute() / "mucg4"


def _value(kind: type, name: str, text: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        msg = f"{name} is {text!r}, which is not a {kind.__name__}"
        raise UsageError(msg) from error
