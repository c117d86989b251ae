# SPDX-License-Identifier: Apache-2.0
"""Exit statuses and signals are passed on; a program that never started says so."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from api.sandbox.child import start
from api.sandbox.confinement import CONFINEMENT_FAILED, Confinement
from api.sandbox.level import measure_level
from tests.api.sandbox.acts import SMALL, confined, freely, stage

if TYPE_CHECKING:
    from pathlib import Path

ENDS = {
    "success": ("os._exit(0)", 0),
    "a status": ("os._exit(7)", 7),
    "the largest status": ("os._exit(255)", 255),
    "an uncaught exception": ("raise SystemError", 1),
    "being terminated": ("os.kill(os.getpid(), 15)", -signal.SIGTERM),
    "being killed": ("os.kill(os.getpid(), 9)", -signal.SIGKILL),
    "aborting": ("os.abort()", -signal.SIGABRT),
    "a broken pipe": (
        "import signal; signal.signal(13, signal.SIG_DFL); os.kill(os.getpid(), 13)",
        -signal.SIGPIPE,
    ),
    "a wild pointer": ("ctypes.string_at(0)", -signal.SIGSEGV),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("namespace", [True, False])
def test_an_end_is_passed_on(end: str, namespace: bool, tmp_path: Path) -> None:
    source, status = ENDS[end]
    level = measure_level()
    level = replace(level, process_namespace=level.process_namespace and namespace)

    with stage(tmp_path / "stage") as environment:
        free = freely(source, tmp_path / "stage", environment)
        inside = confined(source, tmp_path / "stage", environment, level=level)

    assert inside.status == free.status == status


def run(
    command: list[str], folder: Path, readable: tuple[Path, ...] = ()
) -> tuple[int | None, str]:
    with (folder / "errors").open("w+b") as errors:
        child = start(
            command,
            Confinement(folder=folder, readable=readable, limits=SMALL),
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        status = child.wait(30.0)
        child.kill()
    return status, (folder / "errors").read_text(encoding="utf-8")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_no_signal_is_ignored_on_behalf_of_the_program(tmp_path: Path) -> None:
    with (tmp_path / "output").open("wb") as output:
        child = start(
            ["grep", "SigIgn", "/proc/self/status"],
            Confinement(folder=tmp_path, readable=(), limits=SMALL),
            stdout=output,
            stderr=subprocess.DEVNULL,
        )
        child.wait(30.0)
        child.kill()

    # Two are the C library's own, and nobody else's to change.
    ignored = int((tmp_path / "output").read_text(encoding="utf-8").split()[1], 16)
    assert [number for number in signal.valid_signals() if ignored >> (number - 1) & 1] == []


def test_what_cannot_be_executed_is_a_failed_start_with_its_reason(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"no program")
    program.chmod(0o755)

    status, errors = run([str(program)], tmp_path)

    assert status == CONFINEMENT_FAILED
    assert errors.startswith(f"cannot start confined: {program}: ")


def test_a_program_in_the_own_folder_is_not_executed(tmp_path: Path) -> None:
    if not measure_level().landlock:
        pytest.skip("nothing here confines files")
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    program.chmod(0o755)
    assert subprocess.run([program], check=False).returncode == 0

    status, errors = run([str(program)], tmp_path)

    assert status == CONFINEMENT_FAILED
    assert "Permission denied" in errors


def test_a_program_that_does_not_exist_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        run(["no-such-program"], tmp_path)


def test_an_input_that_does_not_exist_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        run([sys.executable, "-c", "pass"], tmp_path, (tmp_path / "absent",))
