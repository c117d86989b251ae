# SPDX-License-Identifier: Apache-2.0
"""Readers that others have written accept the envelope, the statement and its predicate."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf.json_format import Parse, ParseDict
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer._key import SSlibKey

from tests.gate.evidence.packs import Pack, new_key, unknown
from verifier.gate.evidence.index import ENVELOPE, INDEX
from verifier.gate.judgement import Judgement

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.gate.check import Report


def their_key(pack: Pack, key_id: str | None = None) -> SSlibKey:
    raw = pack.key.public.key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    identity = key_id or pack.key.public.id
    return SSlibKey(identity, "ed25519", "ed25519", {"public": raw})


def payload_of(pack: Pack) -> bytes:
    envelope = Envelope.from_dict(pack.read(ENVELOPE))
    assert envelope.payload_type == "application/vnd.in-toto+json"
    assert list(envelope.verify([their_key(pack)], 1)) == [pack.key.public.id]
    return bytes(envelope.payload)


def statement_of(pack: Pack) -> Any:
    statement = Statement.copy_from_pb(Parse(payload_of(pack), StatementMessage()))
    statement.validate()
    return statement.pb


def test_the_envelope_is_verified_by_another_implementation(pack: Pack) -> None:
    assert payload_of(pack).startswith(b"{")


def test_another_implementation_rejects_another_key(pack: Pack) -> None:
    stranger = Pack(pack.folder, new_key(), pack.report)
    envelope = Envelope.from_dict(pack.read(ENVELOPE))

    with pytest.raises(VerificationError):
        envelope.verify([their_key(stranger, pack.key.public.id)], 1)


def test_the_key_is_named_by_the_hash_of_its_der(pack: Pack) -> None:
    der = pack.key.public.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    (signature,) = pack.read(ENVELOPE)["signatures"]
    assert signature["keyid"] == hashlib.sha256(der).hexdigest()


def test_the_envelope_is_one_line(pack: Pack) -> None:
    content = (pack.folder / ENVELOPE).read_bytes()

    assert content.count(b"\n") == 1
    assert base64.b64decode(pack.read(ENVELOPE)["payload"]) == payload_of(pack)


def test_the_subjects_are_the_networks(pack: Pack) -> None:
    statement = statement_of(pack)

    subjects = {subject.name: subject.digest["sha256"] for subject in statement.subject}
    networks = (pack.folder / "networks").iterdir()
    assert subjects == {
        f"networks/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in networks
    }
    verified = {check.sha256("model.onnx") for check in pack.report.checks}
    assert set(subjects.values()) == verified
    assert len(verified) == 2


def test_the_predicate_is_a_test_result_that_covers_the_whole_pack(pack: Pack) -> None:
    statement = statement_of(pack)
    assert statement.predicate_type == "https://in-toto.io/attestation/test-result/v0.1"

    predicate = ParseDict(json.loads(payload_of(pack))["predicate"], test_result_pb2.TestResult())

    assert predicate.result == "FAILED"
    index = {each.name: each.digest["sha256"] for each in predicate.configuration}[INDEX]
    assert index == hashlib.sha256((pack.folder / INDEX).read_bytes()).hexdigest()
    names = {check.name: check.judgement for check in pack.report.checks}
    assert set(predicate.passed_tests) == {n for n, j in names.items() if j is Judgement.PASSED}
    assert set(predicate.failed_tests) == {n for n, j in names.items() if j is Judgement.FAILED}
    assert len(predicate.passed_tests) == len(predicate.failed_tests) == 2


@pytest.mark.parametrize(
    ("judgement", "result"),
    [
        (Judgement.ALLOWED, "WARNED"),
        (Judgement.INCONCLUSIVE, "FAILED"),
        (Judgement.CRASHED, "FAILED"),
        (Judgement.FAILED, "FAILED"),
    ],
)
def test_what_stops_the_build_is_a_failed_test(
    report: Report, tmp_path: Path, judgement: Judgement, result: str
) -> None:
    passed, other = report.checks[0], unknown(report.checks[1], judgement)
    pack = Pack.write(tmp_path / "pack", replace(report, checks=(passed, other)))

    found = pack.audited()

    assert found.problems == ()
    assert found.result == result
    assert found.confirmed == {passed.name}
    assert dict(statement_of(pack).predicate)["result"] == result


def test_where_all_passed_the_result_says_so(report: Report, tmp_path: Path) -> None:
    pack = Pack.write(tmp_path / "pack", replace(report, checks=report.checks[::2]))

    assert pack.audited().result == "PASSED"
    assert 'id="counterexamples"' not in (pack.folder / "report.html").read_text(encoding="utf-8")
