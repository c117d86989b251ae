# SPDX-License-Identifier: Apache-2.0
"""Who has the key can sign what is not so; certificates and counterexamples show it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from verifier.gate.evidence.index import ENVELOPE, INDEX, Listed
from verifier.gate.evidence.signature import opened, sealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.gate.evidence.packs import Pack

# The checks of the pack: holds, violated, and both once more of the variant.
HOLDS, VIOLATED = 0, 1


def problems(pack: Pack) -> str:
    return "\n".join(pack.audited().problems)


def test_a_record_that_was_signed_again_as_it_was_is_accepted(copy: Pack) -> None:
    copy.rewrite(dict)

    assert problems(copy) == ""


def test_certificates_of_other_checks_prove_nothing(copy: Pack) -> None:
    one, other = (copy.folder / f"certificates/C{number}.json.gz" for number in (1, 2))
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    copy.resign()

    found = copy.audited()

    assert len(found.problems) == 2
    assert len(found.confirmed) == 2


def test_a_certificate_of_another_network_proves_nothing(copy: Pack) -> None:
    networks = sorted((copy.folder / "networks").iterdir())
    contents = [path.read_bytes() for path in networks]
    for path, content in zip(networks, reversed(contents), strict=True):
        path.write_bytes(content)

    def swap(record: dict[str, Any]) -> None:
        checks = record["report"]["checks"]
        sums = [checks[0]["network_sha256"], checks[2]["network_sha256"]]
        for check, sha256 in zip(checks, (sums[1], sums[1], sums[0], sums[0]), strict=True):
            check["network_sha256"] = sha256

    copy.rewrite(swap)

    assert "the checker rejects its certificate" in problems(copy)


def _set(number: int, **fields: Any) -> Callable[[dict[str, Any]], None]:
    def change(record: dict[str, Any]) -> None:
        report = record["report"]
        report["checks"][number] |= fields
        judgements = [check["judgement"] for check in report["checks"]]
        report["counts"] = {word: judgements.count(word) for word in report["counts"]}

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            _set(VIOLATED, verdict="holds", judgement="passed", counterexample=None),
            "its certificate proves violated, but holds is reported",
        ),
        (_set(VIOLATED, judgement="passed"), "is said to have passed without a proof"),
        (_set(VIOLATED, judgement="allowed"), "is violated, and yet said to be allowed"),
        (_set(HOLDS, certificate=None), "is said to have passed without a proof"),
        (_set(VIOLATED, counterexample=None), "do not go together"),
        (_set(HOLDS, network_sha256="0" * 64), "its network has another SHA-256"),
        (_set(HOLDS, property_sha256=None), "its property has another SHA-256"),
        (_set(HOLDS, judgement="splendid"), "malformed"),
        (_set(HOLDS, counterexample=7), "malformed"),
        (lambda record: record["report"].update(exit_status=0), "exit status"),
        (lambda record: record["report"]["counts"].update(passed=4), "counts"),
        (lambda record: record["report"]["checks"].pop(), "malformed"),
        (lambda record: record["report"]["manifest"].update(sha256=""), "manifest"),
        (lambda record: record.update(format="other/1"), "format"),
    ],
)
def test_a_record_that_contradicts_itself_is_rejected(
    copy: Pack, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    before = copy.folder.joinpath(ENVELOPE).read_bytes()
    try:
        copy.rewrite(change)
    except (ValueError, KeyError):  # No statement follows from it: the signer makes one up.
        payload = json.loads(opened(before, copy.key.public))
        payload["predicate"]["configuration"][0]["digest"]["sha256"] = copy.reindex()
        copy.folder.joinpath(ENVELOPE).write_bytes(sealed(json.dumps(payload).encode(), copy.key))

    assert problems(copy)
    assert reason in problems(copy)


def test_two_checks_of_one_name_are_rejected(copy: Pack) -> None:
    name = copy.record["report"]["checks"][VIOLATED]["name"]
    copy.rewrite(_set(HOLDS, name=name))

    assert problems(copy) == f"{name}: is there 2 times"


@pytest.mark.parametrize("field", ["input", "output"])
def test_a_counterexample_that_is_none_is_rejected(copy: Pack, field: str) -> None:
    def change(record: dict[str, Any]) -> None:
        found = record["report"]["checks"][VIOLATED]["counterexample"]
        found[field][0] = "17/4"

    copy.rewrite(change)

    assert "what is reported as a counterexample is none" in problems(copy)


@pytest.mark.parametrize("value", ["1/0", "x", None, [], "9" * 5000])
def test_a_counterexample_of_what_is_no_number_is_rejected(copy: Pack, value: object) -> None:
    def change(record: dict[str, Any]) -> None:
        record["report"]["checks"][VIOLATED]["counterexample"]["input"][0] = value

    copy.rewrite(change)

    assert "what is reported as a counterexample is none" in problems(copy)


def test_a_statement_that_says_more_than_the_record_is_rejected(copy: Pack) -> None:
    payload = json.loads(opened(copy.folder.joinpath(ENVELOPE).read_bytes(), copy.key.public))
    payload["predicate"]["result"] = "PASSED"
    copy.folder.joinpath(ENVELOPE).write_bytes(sealed(json.dumps(payload).encode(), copy.key))

    assert problems(copy) == "statement, predicate: is not what follows from checks.json"


@pytest.mark.parametrize(
    "path",
    ["../outside", "/etc/hostname", "a/../../b", "a//b", "", ".", "a\\b", "a\x00b", 7, INDEX],
)
def test_an_index_that_leads_out_of_the_folder_is_refused(copy: Pack, path: object) -> None:
    index = copy.read(INDEX)
    index["files"].append({"path": path, "sha256": "0" * 64, "size": 1})
    content = json.dumps(index).encode()
    copy.folder.joinpath(INDEX).write_bytes(content)
    payload = json.loads(opened(copy.folder.joinpath(ENVELOPE).read_bytes(), copy.key.public))
    payload["predicate"]["configuration"][0]["digest"]["sha256"] = Listed.of(content).sha256
    copy.folder.joinpath(ENVELOPE).write_bytes(sealed(json.dumps(payload).encode(), copy.key))

    assert "no path of a pack" in problems(copy)


def test_a_statement_that_names_no_index_is_rejected(copy: Pack) -> None:
    copy.folder.joinpath(ENVELOPE).write_bytes(sealed(b'{"predicate": {}}', copy.key))

    assert "does not name manifest.json" in problems(copy)
