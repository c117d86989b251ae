# SPDX-License-Identifier: Apache-2.0
"""Whether ``checks.json`` agrees with itself, with the files it names and with the statement."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier.gate.check import Certification
from verifier.gate.evidence.index import FORMAT
from verifier.gate.evidence.statement import statement_of
from verifier.gate.judgement import Judgement, exit_status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from verifier.gate.evidence.index import Listed

_SHAPE_ERRORS = (KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True)
class Claim:
    """What a pack says of one check.

    Attributes:
        name: What the check is called.
        verdict: The reported verdict.
        judgement: What it means for the build.
        network: Path of the network in the pack; empty where there is none.
        prop: Path of the property; likewise.
        certificate: Path of the certificate; likewise.
        is_certified: Whether the checker is said to have accepted the certificate.
        counterexample: As it is reported; None where there is none.
    """

    name: str
    verdict: str
    judgement: Judgement
    network: str
    prop: str
    certificate: str
    is_certified: bool
    counterexample: Mapping[str, Any] | None


def claims_of(record: Mapping[str, Any]) -> tuple[Claim, ...]:
    """Return what ``checks.json`` says of each check."""
    pairs = zip(record["report"]["checks"], record["files"], strict=True)
    return tuple(_claim(check, files) for check, files in pairs)


def _claim(check: Mapping[str, Any], files: Mapping[str, Any]) -> Claim:
    found = check["counterexample"]
    return Claim(
        str(check["name"]),
        str(check["verdict"]),
        Judgement(check["judgement"]),
        files["network"] or "",
        files["property"] or "",
        files["certificate"] or "",
        check["certificate"] == Certification.ACCEPTED,
        None if found is None else {"input": found["input"], "output": found["output"]},
    )


def disagreements(
    record: Mapping[str, Any],
    statement: Mapping[str, Any],
    index: Mapping[str, Listed],
    index_sha256: str,
) -> Iterator[str]:
    """Yield what does not fit.

    Args:
        record: What ``checks.json`` holds.
        statement: What was signed.
        index: The files that were signed.
        index_sha256: Of ``manifest.json``.
    """
    try:
        if record["format"] != FORMAT:
            yield f"checks.json: format {record['format']!r}, not {FORMAT!r}"
            return
        claims = claims_of(record)
        yield from _of_claims(claims)
        yield from _of_files(record, index)
        yield from _of_totals(record["report"], claims)
        expected = statement_of(record, index, index_sha256)
    except _SHAPE_ERRORS as error:
        yield f"checks.json: malformed: {type(error).__name__}: {error}"
        return
    for part in sorted({*expected, *statement}):
        if expected.get(part) != statement.get(part):
            yield f"statement, {part}: is not what follows from checks.json"


def _of_claims(claims: tuple[Claim, ...]) -> Iterator[str]:
    names = Counter(claim.name for claim in claims)
    yield from (f"{name}: is there {times} times" for name, times in names.items() if times > 1)
    for claim in claims:
        files = (claim.network, claim.prop, claim.certificate)
        if claim.is_certified and not all(files):
            yield f"{claim.name}: a certificate is said to be accepted, but a file is not there"
        if claim.judgement is Judgement.PASSED and not _is_shown(claim, "holds"):
            yield f"{claim.name}: is said to have passed without a proof that it holds"
        if claim.judgement is Judgement.ALLOWED and _is_shown(claim, "violated"):
            yield f"{claim.name}: is violated, and yet said to be allowed"
        if _is_shown(claim, "violated") != (claim.is_certified and bool(claim.counterexample)):
            yield f"{claim.name}: verdict and counterexample do not go together"


def _is_shown(claim: Claim, verdict: str) -> bool:
    return claim.is_certified and claim.verdict == verdict


def _of_files(record: Mapping[str, Any], index: Mapping[str, Listed]) -> Iterator[str]:
    if record["request"] not in index:
        yield f"checks.json: {record['request']!r} is not in the pack"
    elif index[record["request"]].sha256 != record["report"]["manifest"]["sha256"]:
        yield "checks.json: the gate's manifest has another SHA-256"
    for check, files in zip(record["report"]["checks"], record["files"], strict=True):
        for kind in ("network", "property", "certificate"):
            path = files[kind]
            if path is not None and path not in index:
                yield f"{check['name']}: {path!r} is not in the pack"
            elif kind != "certificate" and check[f"{kind}_sha256"] != _sha256(index, path):
                yield f"{check['name']}: its {kind} has another SHA-256"


def _sha256(index: Mapping[str, Listed], path: str | None) -> str | None:
    return None if path is None else index[path].sha256


def _of_totals(report: Mapping[str, Any], claims: tuple[Claim, ...]) -> Iterator[str]:
    judgements = [claim.judgement for claim in claims]
    counts = {str(word): judgements.count(word) for word in Judgement}
    if report["counts"] != counts:
        yield "checks.json: the counts are not those of its checks"
    if report["exit_status"] != exit_status(judgements):
        yield "checks.json: the exit status does not follow from its checks"
