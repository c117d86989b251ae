# SPDX-License-Identifier: Apache-2.0
"""What the supervisor is told to do, as one line of JSON: a command, and how to confine it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from api.sandbox.confinement import Confinement, Limits


@dataclass(frozen=True)
class Level:
    """Which protections a confined program has.

    Attributes:
        landlock: Version of Landlock, 0 for none. It confines files; TCP from 4, signals from 6.
        system_call_filter: No new processes, no sockets, no rarely needed parts of the kernel.
        no_new_privileges: Nothing that is executed has more rights, and capabilities are gone.
        user_namespace: The other namespaces were created by an ordinary user.
        network_namespace: A network without any interface.
        ipc_namespace: Shared memory and message queues of its own.
        process_namespace: No other process is seen, and the kernel ends the whole family.
        adopts_orphans: Descendants are found and ended wherever they went.
    """

    landlock: int
    system_call_filter: bool
    no_new_privileges: bool
    user_namespace: bool
    network_namespace: bool
    ipc_namespace: bool
    process_namespace: bool
    adopts_orphans: bool

    @property
    def summary(self) -> str:
        """One line for people; what is missing is said, too."""
        no_network = self.network_namespace or self.system_call_filter
        parts = [
            f"Landlock {self.landlock}" if self.landlock else "files not confined",
            "system-call filter" if self.system_call_filter else "no system-call filter",
            "no network" if no_network else "network open",
            "own process namespace" if self.process_namespace else "no process namespace",
        ]
        if not self.no_new_privileges:
            parts.append("may gain privileges")
        if not (self.process_namespace or self.adopts_orphans):
            parts.append("processes that leave their group are not ended")
        return ", ".join(parts)

    def json(self) -> dict[str, int | bool | str]:
        """Return the protections by name, with the summary."""
        return {"summary": self.summary, **asdict(self)}


UNCONFINED = Level(
    landlock=0,
    system_call_filter=False,
    no_new_privileges=False,
    user_namespace=False,
    network_namespace=False,
    ipc_namespace=False,
    process_namespace=False,
    adopts_orphans=False,
)
"""Resource limits and a session of its own: what every system has."""


@dataclass(frozen=True)
class Plan:
    """A program to be started.

    Attributes:
        command: Absolute path of the program, then its arguments.
        environment: All of the program's environment variables.
        confinement: What it may touch and use.
        code: Files and folders that it may read and execute.
        listed: Folders whose entries it may list.
        level: The protections to apply; that one of them fails is an error.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    confinement: Confinement
    code: tuple[Path, ...]
    listed: tuple[Path, ...]
    level: Level

    def text(self) -> str:
        """Return the plan on one line."""
        return json.dumps(asdict(self), default=str) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Plan:
        """Return the plan that ``text`` was made from."""
        told = json.loads(text)
        confinement = told["confinement"]
        return cls(
            command=tuple(told["command"]),
            environment=told["environment"],
            confinement=Confinement(
                folder=Path(confinement["folder"]),
                readable=tuple(map(Path, confinement["readable"])),
                limits=Limits(**confinement["limits"]),
            ),
            code=tuple(map(Path, told["code"])),
            listed=tuple(map(Path, told["listed"])),
            level=Level(**told["level"]),
        )
