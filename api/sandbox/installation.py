# SPDX-License-Identifier: Apache-2.0
"""Which files a program needs that is started by this Python, and no others.

The search path of *this* process is no guide: it may hold the folder that the server was started
in, which is somebody's home or the server's own data. A fresh interpreter, started in a neutral
folder, says where it looks for modules; this project's packages are named one by one, because what
lies beside them in a source tree is none of a job's business.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("verifier", "encoders", "compression", "api")

ASK = """
import json, site, sys
folders = [sys.prefix, sys.base_prefix, *sys.path]
user_base = site.getuserbase() if site.ENABLE_USER_SITE else None
print(json.dumps({"folders": folders, "user_base": user_base}))
"""

SYSTEM = tuple(
    Path(path)
    for path in (
        "/usr",
        "/lib",
        "/lib32",
        "/lib64",
        "/bin",
        "/etc/ld.so.cache",
        "/etc/localtime",
        "/proc/cpuinfo",
        "/proc/meminfo",
        "/sys/devices/system/cpu",
        "/dev/random",
        "/dev/urandom",
        "/dev/zero",
    )
)
"""Programs, libraries, and what libraries ask about the machine."""

DEVICES = Path("/sys/bus/pci/devices")
"""Listed by onnxruntime, which complains where it cannot."""


@dataclass(frozen=True)
class Installation:
    """Where a program finds its code.

    Attributes:
        readable: Files and folders to read and to execute.
        listed: Folders whose entries are seen by name only, to find packages and devices in.
        environment: What Python has to be told, as HOME is another one and nothing is inherited.
    """

    readable: tuple[Path, ...]
    listed: tuple[Path, ...]
    environment: dict[str, str]


@cache
def installation() -> Installation:
    """Return what this interpreter, its libraries and this project consist of.

    Raises:
        subprocess.CalledProcessError: The interpreter does not start.
    """
    asked = subprocess.run(  # noqa: S603 - this interpreter itself
        [sys.executable, "-P", "-c", ASK],
        cwd="/",
        env={"HOME": str(Path.home())},
        capture_output=True,
        check=True,
    )
    answer = json.loads(asked.stdout)
    found = [Path(place).resolve() for place in answer["folders"]]
    from_source = (ROOT / "pyproject.toml").exists()
    folders = [place for place in found if place not in {Path("/"), from_source and ROOT}]
    own = [ROOT / package for package in PACKAGES] if from_source else [ROOT]
    environment = {"PYTHONUSERBASE": answer["user_base"]} if answer["user_base"] else {}
    if ROOT not in found:
        environment["PYTHONPATH"] = str(ROOT)
    return Installation(
        readable=tuple(dict.fromkeys([*SYSTEM, Path(sys.executable), *folders, *own])),
        listed=(ROOT, DEVICES),
        environment=environment,
    )
