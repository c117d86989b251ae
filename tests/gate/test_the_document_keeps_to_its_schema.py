# SPDX-License-Identifier: Apache-2.0
"""The JSON of a report is what its published schema describes, no more and no less."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from tests.gate.reports import ONE, Setting
from verifier.gate.document import report_json, report_json_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verifier.gate.check import Report

SCHEMA = json.loads(files("verifier.gate").joinpath("check.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects of a document."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from objects(part)


def places(value: Any, found: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where the objects of a document stand."""
    if isinstance(value, dict):
        yield found
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(part, (*found, key))


def at(document: Any, place: tuple[Any, ...]) -> dict[str, Any]:
    for key in place:
        document = document[key]
    found: dict[str, Any] = document
    return found


def test_the_schema_is_one_and_allows_nothing_that_it_does_not_name() -> None:
    Draft202012Validator.check_schema(SCHEMA)

    described = [part for part in objects(SCHEMA) if part.get("type") == "object"]
    named = [part for part in described if "properties" in part]
    assert len(named) >= 7
    for part in named:
        assert part["additionalProperties"] is False
        assert part["required"] == list(part["properties"])


def test_a_report_of_all_kinds_keeps_to_it(all_kinds: Report) -> None:
    document = json.loads(report_json_text(all_kinds))

    VALIDATOR.validate(document)

    assert {check["judgement"] for check in document["checks"]} == set(document["counts"])
    assert any(check["reuse"] for check in document["checks"])
    assert any(check["counterexample"] for check in document["checks"])
    assert document == report_json(all_kinds)


def test_a_report_with_certificates_keeps_to_it(tmp_path: Path) -> None:
    document = report_json(Setting.make(tmp_path, ONE).run(certify=True))

    VALIDATOR.validate(document)
    assert [check["certificate"] for check in document["checks"]] == ["accepted", "accepted"]


def test_names_that_are_no_text_become_text(hostile: Report) -> None:
    document = json.loads(report_json_text(hostile))

    VALIDATOR.validate(document)
    for check in document["checks"]:
        assert json.dumps(check, ensure_ascii=False).encode()
    assert document["checks"][0]["network"].endswith("\\udcff é.onnx")
    assert "\n" in document["checks"][0]["property"]


def test_any_key_more_or_less_is_refused(all_kinds: Report) -> None:
    document = report_json(all_kinds)
    found = list(places(document))
    shapes = {frozenset(at(document, place)): place for place in found}

    assert len(shapes) == 7  # Report, manifest, counts, check, reuse, counterexample, replay.
    for place in shapes.values():
        more = copy.deepcopy(document)
        at(more, place)["seed"] = 1
        with pytest.raises(ValidationError):
            VALIDATOR.validate(more)
        for key in at(document, place):
            less = copy.deepcopy(document)
            del at(less, place)[key]
            with pytest.raises(ValidationError):
                VALIDATOR.validate(less)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("verdict", "sat"),
        ("judgement", "ok"),
        ("network_sha256", "0" * 63),
        ("seconds", -1),
        ("seconds", "1"),
        ("counterexample", None),
        ("reason", ""),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(key: str, value: Any, all_kinds: Report) -> None:
    document = copy.deepcopy(report_json(all_kinds))
    check = next(each for each in document["checks"] if each["verdict"] == "violated")
    check[key] = value

    with pytest.raises(ValidationError):
        VALIDATOR.validate(document)


def test_a_pass_that_is_not_proved_is_refused(all_kinds: Report) -> None:
    document = copy.deepcopy(report_json(all_kinds))
    check = next(each for each in document["checks"] if each["verdict"] == "timeout")
    check["judgement"] = "passed"

    with pytest.raises(ValidationError):
        VALIDATOR.validate(document)
