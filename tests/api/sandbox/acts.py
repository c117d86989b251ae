# SPDX-License-Identifier: Apache-2.0
"""What a program in the hands of an attacker would try, and a stage on which each act works.

Each act is a piece of Python that ends by printing ``done``. On the stage there are a secret of
another job, an input, and servers to connect to; the act finds them in its environment. Whether an
act is denied says something only where it succeeds without confinement, so both are tried.

``python -m tests.api.sandbox.acts FOLDER`` tries all of them and prints the outcomes as JSON.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from api.sandbox.child import start
from api.sandbox.confinement import Confinement, Limits
from api.sandbox.level import measure_level

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from api.sandbox.level import Level

SMALL = Limits(address_space_bytes=1 << 30, cpu_seconds=30, file_bytes=1 << 20, open_files=64)
PATIENCE_SECONDS = 60.0

PRELUDE = "import ctypes, mmap, os, resource, socket, subprocess, threading; get = os.environ.get\n"
LIBC = "libc = ctypes.CDLL(None, use_errno=True)\n"

ACTS = {
    "read another job's file": "open(get('OUTSIDE') + '/secret').read()",
    "list another job's folder": "os.listdir(get('OUTSIDE'))",
    "read another job's file through a link": (
        "os.symlink(get('OUTSIDE') + '/secret', 'link'); open('link').read()"
    ),
    "read the list of users": "open('/etc/passwd').read()",
    "list the user's home": "os.listdir(get('USER_HOME'))",
    "read the owner's environment": "open(f'/proc/{get(\"OWNER\")}/environ').read()",
    "list the processes": "os.listdir('/proc')",
    "write into another job's folder": "open(get('OUTSIDE') + '/new', 'w').write('new')",
    "write into the system's temporary folder": (
        "name = f'/tmp/mucg4-act-{os.getpid()}'; open(name, 'w').close(); os.remove(name)"
    ),
    "write into the user's home": (
        "name = get('USER_HOME') + f'/mucg4-act-{os.getpid()}'\n"
        "open(name, 'w').close(); os.remove(name)"
    ),
    "overwrite its input": "open(get('INPUT'), 'w').write('new')",
    "empty its input by opening": "os.open(get('INPUT'), os.O_RDONLY | os.O_TRUNC)",
    "truncate its input": "os.truncate(get('INPUT'), 0)",
    "change its input's permissions": "os.chmod(get('INPUT'), 0o777)",
    "change its input's times": "os.utime(get('INPUT'), (0, 0))",
    "rename its input": "os.rename(get('INPUT'), get('INPUT') + '.new')",
    "remove its input": "os.remove(get('INPUT'))",
    "connect to a port": "socket.create_connection(('127.0.0.1', int(get('PORT')))).close()",
    "listen on a port": "socket.create_server(('127.0.0.1', 0)).close()",
    "send a datagram": (
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))"
    ),
    "connect to a socket in a folder": (
        "socket.socket(socket.AF_UNIX).connect('../outside/socket')"
    ),
    "connect to an abstract socket": "socket.socket(socket.AF_UNIX).connect('\\0' + get('NAME'))",
    "fork": "process = os.fork()\nif process == 0: os._exit(0)\nos.waitpid(process, 0)",
    "start a program": "subprocess.run(['/bin/sh', '-c', 'exit 0'], check=True)",
    "spawn a program": (
        "os.waitpid(os.posix_spawn('/bin/sh', ['sh', '-c', 'exit 0'], dict(os.environ)), 0)"
    ),
    "reserve 100 GB": (
        "kind = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # without asking for memory\n"
        "mmap.mmap(-1, 100 << 30, flags=kind)"
    ),
    "keep a file in memory": "os.memfd_create('file')",
    "keep shared memory": (
        LIBC
        + "block = libc.shmget(0, 4096, 0o1600)\nassert block != -1\nlibc.shmctl(block, 0, None)"
    ),
    "write a large file": "open('large', 'wb').write(bytes(2 << 20))",
    "open many files": "files = [open(os.devnull) for _ in range(100)]",
    "signal its owner": "os.kill(int(get('OWNER')), 0)",
    "look at its owner's limits": "resource.prlimit(int(get('OWNER')), resource.RLIMIT_NOFILE)",
    "watch another job's folder": (
        LIBC + "watch = libc.inotify_init()\n"
        "assert libc.inotify_add_watch(watch, get('OUTSIDE').encode(), 0xFFF) != -1"
    ),
    "be traced": LIBC + "assert libc.ptrace(0, 0, 0, 0) != -1",
}
"""Where an act is not plain Python, ``-1`` of the C library fails it."""


@dataclass(frozen=True)
class Outcome:
    """How an act, or any program, ended."""

    status: int | None
    output: str
    errors: str

    @property
    def succeeded(self) -> bool:
        """Tell whether the act was done to its end."""
        return self.status == 0 and self.output.endswith("done\n")


@contextmanager
def stage(folder: Path) -> Iterator[dict[str, str]]:
    """Set up what the acts are about; yield the environment that tells them where it is."""
    outside = folder / "outside"
    outside.mkdir(parents=True)
    (outside / "secret").write_text("secret", encoding="utf-8")
    (folder / "input").write_text("input", encoding="utf-8")
    (folder / "job").mkdir()
    name = f"mucg4-{os.getpid()}-{folder.name}"
    with ExitStack() as stack:
        port = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        # By its folder's number: the whole path can be longer than a socket's name may be.
        place = os.open(outside, os.O_PATH)
        stack.callback(os.close, place)
        for address in (f"\0{name}", f"/proc/self/fd/{place}/socket"):
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(address)
            server.listen()
        yield {
            "OUTSIDE": str(outside),
            "INPUT": str(folder / "input"),
            "PORT": str(port),
            "NAME": name,
            "OWNER": str(os.getpid()),
            "USER_HOME": os.environ.get("HOME", "/"),
        }


def command(source: str) -> list[str]:
    """Return the command that runs a piece of Python and then prints ``done``."""
    return [sys.executable, "-P", "-S", "-c", f"{PRELUDE}{source}\nprint('done')"]


def freely(source: str, folder: Path, environment: Mapping[str, str]) -> Outcome:
    """Run a piece of Python without confinement."""
    done = subprocess.run(
        command(source),
        cwd=folder / "job",
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def confined(
    source: str,
    folder: Path,
    environment: Mapping[str, str],
    *,
    limits: Limits = SMALL,
    level: Level | None = None,
) -> Outcome:
    """Run a piece of Python confined to ``folder/job``, with ``folder/input`` to read."""
    job = folder / "job"
    confinement = Confinement(folder=job, readable=(folder / "input",), limits=limits)
    # Outside of the job's folder, so that its limit of open files is not ours.
    with (folder / "output").open("w+b") as output, (folder / "errors").open("w+b") as errors:
        child = start(
            command(source),
            confinement,
            stdout=output,
            stderr=errors,
            environment=environment,
            level=level,
        )
        try:
            status = child.wait(PATIENCE_SECONDS)
        finally:
            child.kill()
    texts = [(folder / name).read_text(encoding="utf-8") for name in ("output", "errors")]
    return Outcome(status, *texts)


def main() -> None:
    """Try all acts, without confinement and with it."""
    folder = Path(sys.argv[1])
    outcomes: dict[str, list[bool]] = {}
    for number, (name, source) in enumerate(ACTS.items()):
        outcomes[name] = []
        for how, run in (("free", freely), ("confined", confined)):
            place = folder / f"{how}-{number}"
            with stage(place) as environment:
                outcomes[name].append(run(source, place, environment).succeeded)
    told = {"user": os.geteuid(), "level": measure_level().json(), "outcomes": outcomes}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
