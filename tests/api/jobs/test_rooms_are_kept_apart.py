# SPDX-License-Identifier: Apache-2.0
"""Each command has a room of its own, in which files lie as they were brought."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from api.blobs import CHUNK_BYTES, Blobs
from api.jobs.room import PART_BYTES, LocalRooms
from api.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def rooms(tmp_path: Path) -> LocalRooms:
    """Return what makes rooms in a folder of this test."""
    return LocalRooms(Settings(tmp_path))


def test_a_file_in_several_parts_is_whole_on_both_sides(rooms: LocalRooms, tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    content = b"".join(bytes([number]) * CHUNK_BYTES for number in range(6)) + b"end"
    with blobs.writing() as writing:
        writing.write(content)
        sha256 = writing.keep()

    with rooms.open("job.1") as room:
        for part in blobs.parts(sha256):
            room.append("model.onnx", part)
        taken = b""
        while found := room.part("model.onnx", len(taken)):
            taken += found

    assert len(content) > PART_BYTES > CHUNK_BYTES
    assert hashlib.sha256(taken).hexdigest() == sha256


def test_a_room_is_nobody_elses(rooms: LocalRooms) -> None:
    with rooms.open("job.1") as one, rooms.open("job.2") as other, rooms.open_aside("a") as aside:
        for room, content in ((one, b"one"), (other, b"other"), (aside, b"aside")):
            room.append("model.onnx", content)

        assert one.part("model.onnx", 0) == b"one"
        assert other.part("model.onnx", 0) == b"other"
        assert aside.part("model.onnx", 0) == b"aside"
        with pytest.raises(FileExistsError), rooms.open("job.1"):
            pass
        # Nor is it gone for whoever has it.
        assert one.part("model.onnx", 0) == b"one"


def test_a_room_is_empty_whatever_was_there_before(rooms: LocalRooms) -> None:
    with rooms.open("job.1") as room:
        room.append("certificate.json.gz", b"old")

    with rooms.open("job.1") as room:
        assert room.part("certificate.json.gz", 0) is None


def test_what_is_not_a_plain_file_is_no_part_of_a_room(rooms: LocalRooms, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.onnx").write_bytes(b"another's")

    with rooms.open("job.1") as room:
        (room.folder / "model.onnx").symlink_to(other / "model.onnx")
        (room.folder / "compressed").symlink_to(other)
        (room.folder / "folder").mkdir()

        for name in ("model.onnx", "compressed/model.onnx", "folder", "nothing"):
            assert room.part(name, 0) is None
