# SPDX-License-Identifier: Apache-2.0
"""Checks a pack that somebody else has made, believing nothing but a public key.

Four stages, each on what the one before has shown; the first that finds anything wrong is the last:

  1. the key has signed the statement, and the statement names ``manifest.json`` by its hash
  2. the files of the folder are those of ``manifest.json``: none changed, missing or added
  3. what ``checks.json`` reports agrees with itself, with the files and with the statement
  4. each certificate that was reported as accepted proves the reported verdict, again, about the
     network and property in the folder; each reported counterexample is one

The signer is not believed either: stages 3 and 4 go for what a signer may have got wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from verifier.batch.job import Job
from verifier.batch.task import Task, failure
from verifier.errors import CorruptFileError
from verifier.gate.evidence.agreement import claims_of, disagreements
from verifier.gate.evidence.folder import check_listed, files_in, read_file, read_listed
from verifier.gate.evidence.index import ENVELOPE, INDEX, Listed, read_index
from verifier.gate.evidence.record import RECORD
from verifier.gate.evidence.signature import opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from verifier.batch.job import Outcomes
    from verifier.batch.run import Run
    from verifier.batch.task import Outcome
    from verifier.gate.evidence.agreement import Claim
    from verifier.gate.evidence.signature import PublicKey

MOST_ENVELOPE_BYTES = 1 << 26
MOST_INDEX_BYTES = 1 << 26
MOST_RECORD_BYTES = 1 << 30


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        problems: All that is wrong; a pack without any is right.
        result: The result that is signed, PASSED, WARNED or FAILED; empty where none is.
        claims: What the pack says of each check, as far as it could be believed.
        confirmed: Names of the claims whose certificates prove them.
    """

    problems: tuple[str, ...]
    result: str = ""
    claims: tuple[Claim, ...] = ()
    confirmed: frozenset[str] = frozenset()


def audit(folder: Path, key: PublicKey, run: Run) -> Audit:
    """Check a pack.

    Args:
        folder: The pack.
        key: Of the signer, got from elsewhere.
        run: Has certificates checked.

    Raises:
        UsageError: The folder cannot be read.
    """
    try:
        statement = _statement(folder, key)
        index, index_sha256 = _index(folder, statement)
        problems = tuple(_wrong_files(folder, index))
        if problems:
            return Audit(problems)
        record = _record(folder, index)
        problems = tuple(disagreements(record, statement, index, index_sha256))
        if problems:
            return Audit(problems)
    except CorruptFileError as error:
        return Audit((str(error),))
    claims = claims_of(record)
    problems, confirmed = _proved(folder, index, claims, run)
    return Audit(problems, statement["predicate"]["result"], claims, confirmed)


def _statement(folder: Path, key: PublicKey) -> dict[str, Any]:
    try:
        payload = opened(read_file(folder, ENVELOPE, MOST_ENVELOPE_BYTES), key)
    except CorruptFileError as error:
        msg = f"{ENVELOPE}: {error}"
        raise CorruptFileError(msg) from error
    return _object(ENVELOPE, payload)


def _index(folder: Path, statement: Mapping[str, Any]) -> tuple[dict[str, Listed], str]:
    content = read_file(folder, INDEX, MOST_INDEX_BYTES)
    sha256 = Listed.of(content).sha256
    try:
        (signed,) = (
            each["digest"]["sha256"]
            for each in statement["predicate"]["configuration"]
            if each["name"] == INDEX
        )
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{ENVELOPE}: the statement does not name {INDEX}"
        raise CorruptFileError(msg) from error
    if sha256 != signed:
        msg = f"{INDEX!r}: is not the file that was signed"
        raise CorruptFileError(msg)
    return read_index(content), sha256


def _wrong_files(folder: Path, index: Mapping[str, Listed]) -> Iterator[str]:
    """Yield what is wrong with the files."""
    found, signed = files_in(folder), {*index, INDEX, ENVELOPE}
    yield from (f"{path!r}: is not in the signed pack" for path in sorted(found - signed))
    yield from (f"{path!r}: is missing" for path in sorted(signed - found))
    for path in sorted(set(index) & found):
        try:
            check_listed(folder, path, index[path])
        except CorruptFileError as error:
            yield str(error)


def _record(folder: Path, index: Mapping[str, Listed]) -> dict[str, Any]:
    listed = index.get(RECORD)
    if listed is None or listed.size > MOST_RECORD_BYTES:
        msg = f"{RECORD}: is missing, or longer than {MOST_RECORD_BYTES} bytes"
        raise CorruptFileError(msg)
    return _object(RECORD, read_listed(folder, RECORD, listed))


def _object(name: str, content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        msg = f"{name}: {error}"
        raise CorruptFileError(msg) from error
    if not isinstance(document, dict):
        msg = f"{name}: no object"
        raise CorruptFileError(msg)
    return document


def _proved(
    folder: Path, index: Mapping[str, Listed], claims: Sequence[Claim], run: Run
) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return what is not as claimed, and the names of the claims that are proved."""
    asked = [claim for claim in claims if claim.is_certified]
    make = partial(_checking, folder, index)
    run.do(Job(claim.name, (), partial(make, claim), is_repeated=True) for claim in asked)
    reasons = {claim.name: _reason(claim, run.outcomes[claim.name]) for claim in asked}
    problems = tuple(f"{name}: {reason}" for name, reason in reasons.items() if reason)
    return problems, frozenset(name for name, reason in reasons.items() if not reason)


def _checking(
    folder: Path, index: Mapping[str, Listed], claim: Claim, outcomes: Outcomes
) -> Task | Outcome:
    del outcomes
    paths = {
        "model.onnx": claim.network,
        "property.vnnlib": claim.prop,
        "certificate.json.gz": claim.certificate,
    }
    try:
        # Hashed once more as they are read: a file may have been changed in the meantime.
        files = {name: read_listed(folder, path, index[path]) for name, path in paths.items()}
    except CorruptFileError as error:
        return failure(str(error))
    options = {} if claim.counterexample is None else {"counterexample": claim.counterexample}
    return Task("check", files, options)


def _reason(claim: Claim, outcome: Outcome) -> str:
    """Return why a claim is not proved; empty where it is."""
    if outcome.error:
        return outcome.error
    told = outcome.document
    if not told["accepted"]:
        return f"the checker rejects its certificate: {told['reason']}"
    if told["verdict"] != claim.verdict:
        return f"its certificate proves {told['verdict']}, but {claim.verdict} is reported"
    if not told.get("is_counterexample", True):
        return "what is reported as a counterexample is none"
    return ""
