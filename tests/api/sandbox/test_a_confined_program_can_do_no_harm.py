# SPDX-License-Identifier: Apache-2.0
"""Each act of an attacker succeeds on its stage, and is denied to a confined program."""

from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from api.sandbox.folder import remove
from api.sandbox.level import measure_level
from tests.api.sandbox.acts import ACTS, SMALL, confined, freely, stage
from tests.api.sandbox.ordinary_user import acts_as_ordinary_user

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="elsewhere there are only resource limits"
)

SPIN = "import time\nwhile time.process_time() < 1.5: pass"


@pytest.mark.parametrize("name", ACTS)
def test_an_act_that_succeeds_on_its_stage_is_denied(name: str, tmp_path: Path) -> None:
    with stage(tmp_path / "free") as environment:
        free = freely(ACTS[name], tmp_path / "free", environment)
    with stage(tmp_path / "confined") as environment:
        denied = confined(ACTS[name], tmp_path / "confined", environment)

    assert free.succeeded, free.errors
    assert denied.status == 1
    assert "Error" in denied.errors


@pytest.mark.slow
def test_an_ordinary_user_confines_as_well_as_root(tmp_path: Path) -> None:
    told = acts_as_ordinary_user(tmp_path)

    assert told["user"] != 0
    assert told["level"] == measure_level().json()
    outcomes = told["outcomes"]
    assert {name for name, (_, inside) in outcomes.items() if inside} == set()
    # Unlike root, it has no home here to look into.
    homeless = {name for name in ACTS if "home" in name}
    assert {name for name, (free, _) in outcomes.items() if not free} <= homeless


@pytest.mark.parametrize("name", ["connect to a port", "connect to an abstract socket"])
@pytest.mark.parametrize("lacking", ["system_call_filter", "network_namespace"])
def test_no_network_is_held_by_two_walls(name: str, lacking: str, tmp_path: Path) -> None:
    level = measure_level()
    if not (level.system_call_filter and level.network_namespace):
        pytest.skip(f"this machine has one wall at most: {level.summary}")

    with stage(tmp_path / "stage") as environment:
        place, less = tmp_path / "stage", replace(level, **{lacking: False})
        outcome = confined(ACTS[name], place, environment, level=less)

    assert outcome.status == 1, outcome


@pytest.mark.slow
def test_a_spinning_program_is_ended_by_its_cpu_limit(tmp_path: Path) -> None:
    limits = replace(SMALL, cpu_seconds=1)

    with stage(tmp_path / "stage") as environment:
        free = freely(SPIN, tmp_path / "stage", environment)
        ended = confined(SPIN, tmp_path / "stage", environment, limits=limits)

    assert free.succeeded
    assert ended.status == -signal.SIGXCPU


FILLING = {
    "file by file": "for i in range(40): open(f'file-{i}', 'wb').write(bytes(100 << 10))",
    "with deleted files": (
        "kept = [open(f'file-{i}', 'wb', buffering=0) for i in range(40)]\n"
        "for i, file in enumerate(kept): file.write(bytes(100 << 10)); os.remove(f'file-{i}')"
    ),
    "with empty files": "for i in range(600): open(f'file-{i}', 'wb').close()",
    "in a folder that nobody may read": (
        "os.mkdir('closed', 0o300)\n"
        "for i in range(40): open(f'closed/file-{i}', 'wb').write(bytes(100 << 10))"
    ),
    "deep down": (
        "for _ in range(1200): os.mkdir('a-folder-with-a-name'); os.chdir('a-folder-with-a-name')"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", FILLING)
def test_a_program_that_fills_the_disk_is_ended(how: str, tmp_path: Path) -> None:
    limits = replace(SMALL, folder_bytes=2 << 20)
    lingering = FILLING[how] + "\nimport time; time.sleep(20)"

    with stage(tmp_path / "free") as environment:
        free = freely(FILLING[how], tmp_path / "free", environment)
    with stage(tmp_path / "stage") as environment:
        ended = confined(lingering, tmp_path / "stage", environment, limits=limits)

    # What shutil.rmtree cannot remove, pytest cannot either.
    remove(tmp_path / "free")
    remove(tmp_path / "stage")

    assert list(tmp_path.iterdir()) == []
    assert free.succeeded
    assert ended.status == -signal.SIGXFSZ
    assert ended.errors.startswith("ended: the job's folder ")


@pytest.mark.slow
def test_a_program_that_ignores_the_signal_is_ended_too(tmp_path: Path) -> None:
    limits = replace(SMALL, cpu_seconds=1)
    deaf = "import signal, time; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n" + SPIN.replace(
        "1.5", "9"
    )

    with stage(tmp_path / "stage") as environment:
        ended = confined(deaf, tmp_path / "stage", environment, limits=limits)

    assert ended.status == -signal.SIGKILL


def test_the_filter_denies_through_the_newer_names_of_a_call_too(tmp_path: Path) -> None:
    # clone3 and openat2, which the filter cannot judge, and a number beyond all known calls.
    source = "libc = ctypes.CDLL(None, use_errno=True)\n" + "\n".join(
        f"assert libc.syscall({number}, 0, 0, 0, 0) == -1 and ctypes.get_errno() == 38, {number}"
        for number in (435, 437, 5000)
    )

    with stage(tmp_path / "stage") as environment:
        outcome = confined(source, tmp_path / "stage", environment)

    assert outcome.succeeded, outcome.errors


def test_an_open_file_of_the_owner_is_closed(tmp_path: Path) -> None:
    with stage(tmp_path / "stage") as environment:
        secret = os.open(environment["OUTSIDE"] + "/secret", os.O_RDONLY)
        os.set_inheritable(secret, True)
        outcome = confined(
            "for number in os.listdir('/proc/self/fd'):\n"
            "    try: print(os.readlink(f'/proc/self/fd/{number}'))\n"
            "    except FileNotFoundError: pass",
            tmp_path / "stage",
            environment,
        )
        os.close(secret)

    assert outcome.succeeded, outcome.errors
    assert "/errors" in outcome.output
    assert "secret" not in outcome.output


def test_nothing_of_the_environment_leaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUCG4_SECRET", "secret")
    monkeypatch.setenv("LD_PRELOAD", "")

    with stage(tmp_path / "stage"):
        outcome = confined("print(*sorted(os.environ))", tmp_path / "stage", {"GIVEN": "yes"})

    names = set(outcome.output.splitlines()[0].split())
    python = {"PYTHONPATH", "PYTHONUSERBASE"}
    fixed = {"PATH", "HOME", "TMPDIR", "LANG", "OPENBLAS_NUM_THREADS", "ORT_DISABLE_TELEMETRY"}
    assert names - python - {"LC_CTYPE"} == {*fixed, "GIVEN"}


def test_what_a_program_needs_is_left_to_it(tmp_path: Path) -> None:
    source = """
assert open(get('INPUT')).read() == 'input'
assert os.getcwd() == get('HOME') == get('TMPDIR')
os.mkdir('made'); open('made/file', 'w').write('x')
os.rename('made/file', 'file'); os.remove('file')
import tempfile; assert tempfile.gettempdir() == os.getcwd()
threads = [threading.Thread(target=list.append, args=([], 1)) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert os.read(0, 1) == b''
assert os.urandom(1)
"""
    with stage(tmp_path / "stage") as environment:
        outcome = confined(source, tmp_path / "stage", environment)

    assert outcome.succeeded, outcome.errors


def test_a_program_holds_no_capability(tmp_path: Path) -> None:
    source = "print(*[l for l in open('/proc/self/status') if l.startswith(('Cap', 'NoNew'))])"

    with stage(tmp_path / "stage") as environment:
        outcome = confined(source, tmp_path / "stage", environment)

    words = outcome.output.split()
    held = dict(zip(words[::2], words[1::2], strict=False))
    assert int(held["CapEff:"], 16) == int(held["CapPrm:"], 16) == 0
    assert held["NoNewPrivs:"] == "1"


def test_the_stage_has_servers_that_answer(tmp_path: Path) -> None:
    with stage(tmp_path / "stage") as environment:
        address = ("127.0.0.1", int(environment["PORT"]))
        with socket.create_connection(address) as connection:
            assert connection.getpeername() == address
