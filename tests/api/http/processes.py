# SPDX-License-Identifier: Apache-2.0
"""What processes use, as the kernel tells."""

from __future__ import annotations

from pathlib import Path


def resident_bytes(pid: int) -> int:
    """Return the memory that a process takes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    msg = f"process {pid} is not there"
    raise ProcessLookupError(msg)


def mapped_files(pid: int) -> set[str]:
    """Return the paths of the files that a process has mapped: programs, libraries, modules."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[5] for line in lines if line.count("/")}


def processes_of_jobs(folder: Path) -> list[int]:
    """Return the processes that work in the folder of a job, among the folders of jobs."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            place = (process / "cwd").readlink()
        except OSError:
            continue
        # What is compiled ahead works there as well.
        if place.is_relative_to(folder) and not place.name.startswith("warm-up-"):
            found.append(int(process.name))
    return found
