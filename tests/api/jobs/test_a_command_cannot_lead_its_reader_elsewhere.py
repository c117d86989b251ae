# SPDX-License-Identifier: Apache-2.0
"""Whatever a command does to its folder, whoever reads what it said reads just that."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from api.jobs import room as rooms
from api.jobs.room import FolderRoom
from api.sandbox.confinement import Limits

if TYPE_CHECKING:
    from pathlib import Path

# Puts links to a file in the place of every file that lies in the folder, and of some more.
LINKS = """
import os, sys
for name in {*os.listdir(), ".answer", ".log", "answer", "log"}:
    if not os.path.isdir(name):
        if os.path.exists(name):
            os.unlink(name)
        os.symlink(sys.argv[1], name)
print("said by the command")
sys.stderr.write("told by the command")
"""
# Says a lot, but less than one file may hold, and then waits for its end.
ENDLESS = "import time; print('x' * (16 << 20), flush=True); time.sleep(60)"
SPOKEN = "print('said by the second'); import sys; sys.stderr.write('told by the second')"


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderRoom:
    """Return a room in which Python runs whatever it is given."""
    monkeypatch.setattr(rooms, "PROGRAM", (sys.executable, "-P", "-c"))
    folder = tmp_path / "room"
    folder.mkdir()
    return FolderRoom(folder, 8 << 30, 1 << 20)


def run(room: FolderRoom, *words: str) -> bytes:
    """Run a command to its end, and return what it told meanwhile."""
    told = b""
    room.start(words, 10.0)
    try:
        while True:
            look = room.look()
            told += look.log
            if look.status is not None:
                assert look.status == 0, told
                return told
    finally:
        room.end()


def test_a_file_outside_is_not_read_for_a_command(room: FolderRoom, tmp_path: Path) -> None:
    outside = tmp_path / "of another"
    outside.write_text('{"verdict": "another tenant\'s"}')
    assert run(room, LINKS, str(outside)) == b"told by the command"
    assert room.said().answer == b"said by the command\n"
    assert room.said().tail == b"told by the command"


def test_a_file_outside_is_not_written_for_the_next_command(
    room: FolderRoom, tmp_path: Path
) -> None:
    outside = tmp_path / "database"
    outside.write_text("precious")
    run(room, LINKS, str(outside))
    assert run(room, SPOKEN) == b"told by the second"
    assert room.said().answer == b"said by the second\n"
    assert outside.read_text() == "precious"


def test_a_link_in_the_place_of_an_artifact_is_not_followed(
    room: FolderRoom, tmp_path: Path
) -> None:
    outside = tmp_path / "of another"
    outside.write_text("secret")
    room.append("model.onnx", b"a model")
    run(room, LINKS, str(outside))
    assert (tmp_path / "room" / "model.onnx").is_symlink()
    assert room.part("model.onnx", 0) is None


def test_what_a_command_says_without_end_ends_it(
    room: FolderRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Limits(8 << 30, 10, 64 << 20, folder_bytes=4 << 20)
    monkeypatch.setattr(rooms, "Limits", lambda *_: few)
    room.start([ENDLESS], 10.0)
    try:
        while (look := room.look()).status is None:
            pass
        assert look.status == -signal.SIGXFSZ
    finally:
        room.end()
    assert b"the job's folder takes" in room.said().tail
