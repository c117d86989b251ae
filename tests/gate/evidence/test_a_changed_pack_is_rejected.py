# SPDX-License-Identifier: Apache-2.0
"""Whatever is done to a pack without the key: it is rejected, and what was changed is named."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.gate.evidence.packs import Pack, new_key
from verifier.errors import CorruptFileError
from verifier.gate.evidence.folder import MOST_DEPTH, files_in, read_file
from verifier.gate.evidence.index import ENVELOPE, INDEX
from verifier.gate.evidence.record import RECORD

if TYPE_CHECKING:
    from pathlib import Path


def check_rejected(pack: Pack, naming: str) -> None:
    found = pack.audited()

    assert found.problems
    assert any(naming in problem for problem in found.problems), found.problems
    assert found.confirmed == frozenset()


def test_a_pack_is_accepted_as_it_was_written(pack: Pack) -> None:
    found = pack.audited()

    assert found.problems == ()
    assert found.result == "FAILED"
    assert {claim.verdict for claim in found.claims} == {"holds", "violated"}
    assert found.confirmed == {check.name for check in pack.report.checks}


def test_a_bit_that_was_flipped_is_noticed_wherever_it_is(copy: Pack) -> None:
    for path in copy.files:
        file = copy.folder / path
        content = file.read_bytes()
        for place in {0, len(content) // 3, len(content) // 2, len(content) - 1}:
            spoilt = bytearray(content)
            spoilt[place] ^= 1 << (place % 8)
            file.write_bytes(bytes(spoilt))
            assert copy.audited().problems, (path, place)
        file.write_bytes(content)
    assert copy.audited().problems == ()


def test_no_bit_of_the_envelope_may_be_flipped(copy: Pack) -> None:
    file = copy.folder / ENVELOPE
    content = file.read_bytes()

    for place in range(0, len(content), 7):
        spoilt = bytearray(content)
        spoilt[place] ^= 1 << (place % 8)
        file.write_bytes(bytes(spoilt))
        assert copy.audited().problems, place


def test_a_file_that_is_cut_or_grows_is_noticed(copy: Pack) -> None:
    for path in copy.files:
        file = copy.folder / path
        content = file.read_bytes()
        for spoilt in (content[:-1], content + b" ", b""):
            file.write_bytes(spoilt)
            # White space after JSON says nothing.
            is_same = path == ENVELOPE and spoilt.strip() == content.strip()
            assert bool(copy.audited().problems) is not is_same, path
        file.write_bytes(content)


def test_each_file_is_missed(copy: Pack) -> None:
    for path in copy.files:
        file = copy.folder / path
        content = file.read_bytes()
        file.unlink()
        check_rejected(copy, path)
        file.write_bytes(content)


@pytest.mark.parametrize("path", ["more.txt", "networks/N9.onnx", ".hidden", "new/folder/file"])
def test_a_file_more_is_noticed(copy: Pack, path: str) -> None:
    (copy.folder / path).parent.mkdir(parents=True, exist_ok=True)
    (copy.folder / path).write_bytes(b"more")

    check_rejected(copy, path)


def test_an_empty_folder_is_noticed(copy: Pack) -> None:
    (copy.folder / "empty").mkdir()

    check_rejected(copy, "empty")


def test_folders_without_end_are_not_followed(copy: Pack) -> None:
    deep = copy.folder.joinpath(*["deep"] * (MOST_DEPTH + 2))
    deep.mkdir(parents=True)

    check_rejected(copy, "folders in folders")


def test_a_link_is_refused_even_where_it_leads_to_the_same_bytes(
    copy: Pack, tmp_path: Path
) -> None:
    for number, path in enumerate(copy.files):
        file, elsewhere = copy.folder / path, tmp_path / str(number)
        file.rename(elsewhere)
        file.symlink_to(elsewhere)
        check_rejected(copy, path)
        file.unlink()
        elsewhere.rename(file)


def test_a_link_is_neither_listed_nor_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")

    assert read_file(tmp_path, "file", 7) == b"content"
    with pytest.raises(CorruptFileError, match="longer than 6 bytes"):
        read_file(tmp_path, "file", 6)
    with pytest.raises(CorruptFileError, match="link"):
        read_file(tmp_path, "link", 7)
    with pytest.raises(CorruptFileError, match="'link': a link"):
        files_in(tmp_path)


def test_a_folder_that_is_a_link_is_refused(copy: Pack, tmp_path: Path) -> None:
    (copy.folder / "networks").rename(tmp_path / "networks")
    (copy.folder / "networks").symlink_to(tmp_path / "networks")

    check_rejected(copy, "networks")


@pytest.mark.parametrize("path", [ENVELOPE, INDEX, RECORD, "networks/pipe"])
def test_a_pipe_is_refused_and_not_waited_for(copy: Pack, path: str) -> None:
    (copy.folder / path).unlink(missing_ok=True)
    os.mkfifo(copy.folder / path)

    check_rejected(copy, path)


def test_another_key_is_not_the_signers(copy: Pack) -> None:
    copy.resign(new_key())

    check_rejected(copy, "0 signatures are by the key")


def test_who_claims_the_signers_identity_has_to_have_the_key(copy: Pack) -> None:
    copy.resign(new_key())
    envelope = copy.read(ENVELOPE)
    envelope["signatures"][0]["keyid"] = copy.key.public.id
    (copy.folder / ENVELOPE).write_text(json.dumps(envelope), encoding="utf-8")

    check_rejected(copy, "not one of the key")


def test_a_signature_that_stands_there_twice_is_refused(copy: Pack) -> None:
    envelope = copy.read(ENVELOPE)
    envelope["signatures"] *= 2
    (copy.folder / ENVELOPE).write_text(json.dumps(envelope), encoding="utf-8")

    check_rejected(copy, "2 signatures")


def test_bits_that_base_64_does_not_use_may_not_be_set(copy: Pack) -> None:
    envelope = copy.read(ENVELOPE)
    (signature,) = envelope["signatures"]
    assert signature["sig"].endswith("==")  # Of the letter before them, two bits count.
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    place = letters.index(signature["sig"][-3])
    signature["sig"] = f"{signature['sig'][:-3]}{letters[place ^ 1]}=="
    (copy.folder / ENVELOPE).write_text(json.dumps(envelope), encoding="utf-8")

    check_rejected(copy, "stray bits")


def test_somebody_else_may_sign_as_well(copy: Pack) -> None:
    mine, index = copy.read(ENVELOPE), copy.folder.joinpath(INDEX).read_bytes()
    copy.resign(new_key())
    both = {**mine, "signatures": mine["signatures"] + copy.read(ENVELOPE)["signatures"]}
    (copy.folder / ENVELOPE).write_text(json.dumps(both), encoding="utf-8")
    (copy.folder / INDEX).write_bytes(index)

    assert copy.audited().problems == ()


def test_two_certificates_that_changed_places_are_noticed(copy: Pack) -> None:
    one, other = (copy.folder / f"certificates/C{number}.json.gz" for number in (1, 2))
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    check_rejected(copy, "certificates/C1.json.gz")

    copy.reindex()

    check_rejected(copy, INDEX)


def test_a_verdict_that_was_changed_is_noticed(copy: Pack) -> None:
    record = copy.record
    record["report"]["checks"][-1] |= {"verdict": "holds", "judgement": "passed"}
    (copy.folder / RECORD).write_text(json.dumps(record), encoding="utf-8")
    check_rejected(copy, RECORD)

    copy.reindex()

    check_rejected(copy, INDEX)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"payload": 1}'])
def test_what_is_no_envelope_is_refused(copy: Pack, content: bytes) -> None:
    (copy.folder / ENVELOPE).write_bytes(content)

    check_rejected(copy, ENVELOPE)
