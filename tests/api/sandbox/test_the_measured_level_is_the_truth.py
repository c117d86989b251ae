# SPDX-License-Identifier: Apache-2.0
"""What is missing is found missing, and said; what remains still confines; nothing fails silently.

A protection is taken away as a container's policy takes it away: by a filter that denies the system
call, put on a process that then measures its level and tries to act. No privilege is needed for it.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api.sandbox import landlock, system_calls
from api.sandbox.confinement import CONFINEMENT_FAILED, Confinement, Limits
from api.sandbox.installation import ROOT
from api.sandbox.level import measure_level
from api.sandbox.plan import UNCONFINED, Plan
from api.sandbox.system_call_filter import program
from tests.api.sandbox.acts import confined, stage

if TYPE_CHECKING:
    from collections.abc import Mapping

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")

# Where a system call's number and first argument lie; load, compare, return: see the filter itself.
WITHOUT = """
import errno, json, sys
from dataclasses import replace
from pathlib import Path
from api.sandbox import system_call_filter as scf
from api.sandbox.kernel import gain_no_privileges
from api.sandbox.level import measure_level
from tests.api.sandbox.acts import ACTS, confined, stage

def refuse(number, argument=None):
    test = [] if argument is None else [(0x20, 0, 0, 16), (0x15, 0, 1, argument)]
    refusal = [*test, (0x06, 0, 0, 0x00050000 | errno.EPERM), (0x06, 0, 0, 0x7FFF0000)]
    return [(0x20, 0, 0, 0), (0x15, 0, len(refusal), number), *refusal]

taken, acts, promise = json.loads(sys.argv[1])
level = measure_level() if promise else None
gain_no_privileges()
instructions = [i for call in taken for i in refuse(*call)]
if taken:
    scf.install([*instructions, (0x06, 0, 0, 0x7FFF0000)])
told = {"level": (level or measure_level()).json(), "outcomes": {}}
for act in ["", *acts]:
    place = Path(sys.argv[2]) / (act or "nothing")
    with stage(place) as environment:
        outcome = confined(ACTS.get(act, "pass"), place, environment, level=level)
    told["outcomes"][act] = [outcome.status, outcome.errors]
print(json.dumps(told))
"""

# x86-64 and ARM: the numbers of Landlock's first call, unshare and prctl; prctl's seccomp option.
LANDLOCK = (444,)
UNSHARE = (272,) if platform.machine() == "x86_64" else (97,)
SECCOMP = (157, 22) if platform.machine() == "x86_64" else (167, 22)


def tell(taken: list[tuple[int, ...]], folder: Path, acts: list[str], promise: bool) -> Any:
    """Return level and outcomes where some system calls are refused, before or after measuring."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT, json.dumps([taken, acts, promise]), str(folder)],
        env={"PYTHONPATH": str(ROOT), "HOME": str(Path.home())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def measured(
    taken: list[tuple[int, ...]], folder: Path, acts: Mapping[str, bool]
) -> dict[str, Any]:
    """Measure where some system calls are refused, and check which acts still succeed."""
    told = tell(taken, folder, list(acts), promise=False)
    outcomes = {act: status for act, (status, _) in told["outcomes"].items()}
    assert outcomes == {"": 0, **{act: 0 if succeeds else 1 for act, succeeds in acts.items()}}
    return dict(told["level"])


@LINUX
def test_nothing_is_missing_where_nothing_is_taken_away(tmp_path: Path) -> None:
    level = measured([], tmp_path, {"fork": False, "read the list of users": False})

    assert level == measure_level().json()


@LINUX
def test_without_landlock_files_are_said_to_be_open(tmp_path: Path) -> None:
    level = measured([LANDLOCK], tmp_path, {"read the list of users": True, "fork": False})

    assert level["landlock"] == 0
    assert "files not confined" in level["summary"]
    assert level["system_call_filter"] is measure_level().system_call_filter


@LINUX
def test_without_namespaces_the_filter_and_landlock_hold(tmp_path: Path) -> None:
    if not (measure_level().landlock and measure_level().system_call_filter):
        pytest.skip(f"not much is left here: {measure_level().summary}")
    acts = ("connect to a port", "signal its owner", "look at its owner's limits", "fork")

    level = measured([UNSHARE], tmp_path, dict.fromkeys(acts, False))

    spaces = ("user_namespace", "network_namespace", "ipc_namespace", "process_namespace")
    assert [level[name] for name in spaces] == [False] * 4
    assert "no network" in level["summary"]
    assert "no process namespace" in level["summary"]


@LINUX
def test_without_a_filter_programs_can_be_started(tmp_path: Path) -> None:
    level = measured([SECCOMP], tmp_path, {"start a program": True})

    assert level["system_call_filter"] is False
    assert "no system-call filter" in level["summary"]
    assert level["landlock"] == measure_level().landlock


@LINUX
def test_without_all_of_them_the_limits_hold_and_the_rest_is_said(tmp_path: Path) -> None:
    acts = {"write a large file": False, "reserve 100 GB": False, "connect to a port": True}

    level = measured([LANDLOCK, UNSHARE, SECCOMP], tmp_path, acts)

    assert level["summary"] == (
        "files not confined, no system-call filter, network open, no process namespace"
    )


@LINUX
@pytest.mark.parametrize("taken", [LANDLOCK, UNSHARE, SECCOMP], ids=["files", "spaces", "filter"])
def test_a_protection_that_was_promised_and_fails_is_an_error(
    taken: tuple[int, ...], tmp_path: Path
) -> None:
    level = measure_level()
    if not (level.landlock and level.process_namespace and level.system_call_filter):
        pytest.skip(f"this machine promises less: {level.summary}")

    status, errors = tell([taken], tmp_path, [], promise=True)["outcomes"][""]

    assert status == CONFINEMENT_FAILED
    assert errors.startswith("cannot start confined: ")


@LINUX
def test_each_version_of_landlock_confines_and_lets_work(tmp_path: Path) -> None:
    for abi in range(1, measure_level().landlock + 1):
        level = replace(measure_level(), landlock=abi)
        source = "open('own', 'w').write('x'); open(get('INPUT')).read()\nopen('/etc/passwd')"

        with stage(tmp_path / str(abi)) as environment:
            outcome = confined(source, tmp_path / str(abi), environment, level=level)

        assert outcome.errors.endswith("Permission denied: '/etc/passwd'\n")


def test_later_versions_of_landlock_know_all_acts_of_earlier_ones() -> None:
    known = [landlock.known_file_acts(abi) for abi in range(9)]

    assert known[0] == 0
    assert known[1] == 0x1FFF
    assert known[8] == 0xFFFF
    assert all(later & earlier == earlier for earlier, later in pairwise(known))


@pytest.mark.parametrize("machine", system_calls.MACHINES)
def test_every_jump_of_the_filter_stays_inside_it(machine: str) -> None:
    instructions = program(machine, own_process=2)

    assert instructions[-1][0] == 0x06
    for place, (_, if_true, if_false, _) in enumerate(instructions):
        assert place + 1 + max(if_true, if_false) <= len(instructions)


@pytest.mark.parametrize(
    ("column", "header"),
    [
        (0, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        (1, "/usr/include/asm-generic/unistd.h"),
    ],
    ids=system_calls.MACHINES,
)
def test_the_numbers_are_those_of_the_kernel(column: int, header: str) -> None:
    if not Path(header).exists():
        pytest.skip(f"{header} is not installed")
    words = [line.split() for line in Path(header).read_text(encoding="utf-8").splitlines()]
    theirs = {
        w[1].replace("__NR3264_", "__NR_"): int(w[2])
        for w in words
        if len(w) > 2 and w[0] == "#define" and w[2].isdigit()
    }

    for calls in (system_calls.DENIED, system_calls.ARGUMENTS):
        for name, numbers in calls.items():
            assert numbers[column] == theirs.get(f"__NR_{name}"), name


def test_a_level_says_what_it_is_and_what_it_lacks() -> None:
    full = replace(
        UNCONFINED,
        landlock=7,
        system_call_filter=True,
        no_new_privileges=True,
        user_namespace=True,
        network_namespace=True,
        ipc_namespace=True,
        process_namespace=True,
        adopts_orphans=True,
    )

    assert full.summary == "Landlock 7, system-call filter, no network, own process namespace"
    assert full.json()["landlock"] == 7
    assert full.json()["summary"] == full.summary
    assert UNCONFINED.summary == (
        "files not confined, no system-call filter, network open, no process namespace, "
        "may gain privileges, processes that leave their group are not ended"
    )


def test_a_plan_survives_its_journey() -> None:
    plan = Plan(
        command=("/bin/program", "line\nbreak", "ümlaut"),
        environment={"NAME": "value"},
        confinement=Confinement(Path("/job"), (Path("/a b"), Path("/c\udcff")), Limits(1, 2, 3, 4)),
        code=(Path("/usr"),),
        listed=(Path("/listed"),),
        level=UNCONFINED,
    )

    assert Plan.from_text(plan.text()) == plan
    assert plan.text().count("\n") == 1
