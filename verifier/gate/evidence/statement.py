# SPDX-License-Identifier: Apache-2.0
"""The statement that is signed: a test result of in-toto, about networks by their SHA-256.

It follows from ``checks.json`` and the index alone, so that who checks a pack makes it again and
compares. A check that would stop a build is a failed test, whatever stopped it: who asks a policy
for ``PASSED`` or ``WARNED`` must not let through what the gate did not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verifier.gate.evidence.index import INDEX
from verifier.gate.judgement import Judgement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verifier.gate.evidence.index import Listed

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
_LISTS = {Judgement.PASSED: "passedTests", Judgement.ALLOWED: "warnedTests"}


def result_of(judgements: Sequence[Judgement]) -> str:
    """Return PASSED, WARNED or FAILED."""
    if not judgements or set(judgements) - set(_LISTS):
        return "FAILED"
    return "WARNED" if Judgement.ALLOWED in judgements else "PASSED"


def statement_of(
    record: Mapping[str, Any], index: Mapping[str, Listed], index_sha256: str
) -> dict[str, Any]:
    """Return the statement on a pack.

    Args:
        record: What ``checks.json`` holds.
        index: What is known of the files of the pack.
        index_sha256: Of ``manifest.json``: with it the signature covers every file.
    """

    def described(path: str) -> dict[str, Any]:
        return {"name": path, "digest": {"sha256": index[path].sha256}}

    def paths(kind: str) -> list[str]:
        return sorted({files[kind] for files in record["files"] if files[kind] is not None})

    checks = record["report"]["checks"]
    judgements = [Judgement(check["judgement"]) for check in checks]
    tests: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    for check, judgement in zip(checks, judgements, strict=True):
        tests[_LISTS.get(judgement, "failedTests")].append(check["name"])
    whole = {"name": INDEX, "digest": {"sha256": index_sha256}}
    asked = [described(path) for path in (record["request"], *paths("property"))]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [described(path) for path in paths("network")],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"result": result_of(judgements), "configuration": [whole, *asked], **tests},
    }
