# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document is valid, and a running server answers as it says, whatever is asked."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.definitions import OPENAPI_31

from tests.api.server_process import ServerProcess
from tests.api.tiny import tiny_model, tiny_property

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import BaseSchema, Case

PROBLEM = "application/problem+json"
STREAM = "/v1/jobs/{job_id}/events"
QUICK_EXAMPLES = 8
LONG_EXAMPLES = 100
CHECKS_OF_ANSWERS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
CHECKS = [*CHECKS_OF_ANSWERS, negative_data_rejection]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Yield a server that counts no requests: its keys may be made and revoked at random."""
    settings = {"requests_per_minute": 10_000_000, "job_seconds": 20.0}
    started = ServerProcess(tmp_path_factory.mktemp("served"), settings=settings)
    started.start()
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def document(served: ServerProcess) -> dict[str, Any]:
    """Return the document as it is served."""
    with served.client() as client:
        return dict(client.get("/v1/openapi.json").raise_for_status().json())


@pytest.fixture(scope="module")
def known(served: ServerProcess) -> dict[str, str]:
    """Return values of path parameters that name something."""
    with served.client() as client:
        model = client.post("/v1/models", content=tiny_model()).json()["sha256"]
        prop = client.post("/v1/properties", content=tiny_property(3.5)).json()["sha256"]
        body = {"kind": "prove", "model": model, "properties": [prop]}
        job_id = client.post("/v1/jobs", json=body).json()["id"]
        while client.get(f"/v1/jobs/{job_id}").json()["state"] in ("queued", "running"):
            pass
    return {"sha256": model, "job_id": job_id, "name": "certificate"}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    validator = jsonschema_rs.validator_for(OPENAPI_31)

    assert document["openapi"].startswith("3.1.")
    assert [str(error) for error in validator.iter_errors(document)] == []


def test_every_error_is_a_problem_document(document: dict[str, Any]) -> None:
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    described = [
        (method, path, status, answer["content"])
        for method, path, operation in operations(document)
        for status, answer in operation["responses"].items()
        if int(status) >= 400 and (path, status) != ("/readyz", "503")
    ]

    assert {status for *_, status, _ in described} >= {"401", "404", "409", "411", "413", "507"}
    assert [item for item in described if item[3] != {PROBLEM: problem}] == []
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert document["components"]["schemas"]["Problem"]["properties"].keys() == {
        "type",
        "title",
        "status",
        "detail",
        "instance",
    }


def test_bytes_are_bytes_and_streams_are_streams(document: dict[str, Any]) -> None:
    paths = document["paths"]
    binary = {"schema": {"type": "string", "format": "binary"}}
    for folder in ("models", "properties", "proofs", "certificates", "neuron-maps"):
        for upload in (paths[f"/v1/{folder}"]["post"], paths[f"/v1/{folder}/{{sha256}}"]["put"]):
            assert upload["requestBody"]["content"] == {"application/octet-stream": binary}
            assert upload["requestBody"]["required"] is True
        fetched = paths[f"/v1/{folder}/{{sha256}}/content"]["get"]["responses"]["200"]["content"]
        assert fetched["application/octet-stream"] == binary
    artifact = paths["/v1/jobs/{job_id}/artifacts/{name}"]["get"]["responses"]["200"]["content"]
    assert artifact["application/gzip"] == binary
    stream = paths[STREAM]["get"]["responses"]["200"]["content"]
    assert list(stream) == ["text/event-stream"]
    assert stream["text/event-stream"]["schema"]["properties"].keys() >= {"data", "event", "id"}


def test_it_says_which_routes_need_a_key(document: dict[str, Any]) -> None:
    open_to_all = {
        path for _, path, operation in operations(document) if operation.get("security") == []
    }

    assert document["security"] == [{"key": []}]
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert open_to_all == {"/healthz", "/readyz"}


def arrived(case: Case[Any], url: str | None) -> bool:
    """Say whether all of a query is in the address: an empty list leaves no trace there."""
    query = urlsplit(url or "").query
    sent = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    return all(str(name) in sent for name in case.query or {})


@dataclass
class Prober:
    """Asks at random.

    Attributes:
        served: The server.
        schema: Its document.
        known: Values of path parameters that name something.
        answers: How often each status was answered.
        answering: The operations that did not always refuse.
    """

    served: ServerProcess
    schema: BaseSchema
    known: dict[str, str]
    answers: Counter[int] = field(default_factory=Counter)
    answering: set[str] = field(default_factory=set)

    def ask_all(self, mode: GenerationMode, key: str | None, most: int) -> None:
        """Ask each operation so often, and check each answer against the document."""
        for found in self.schema.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            uploads = operation.label.startswith("POST") and operation.tags == ["files"]
            # Each upload is looked at by a process of its own.
            self._ask(operation, mode, key, max(1, most // 4) if uploads else most)

    def _ask(self, operation: Any, mode: GenerationMode, key: str | None, most: int) -> None:
        @settings(max_examples=most, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode), is_known=st.booleans())
        def ask(case: Case[Any], is_known: bool) -> None:
            if is_known and mode == GenerationMode.POSITIVE and case.method != "DELETE":
                for name in case.path_parameters.keys() & self.known.keys():
                    case.path_parameters[name] = self.known[name]
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            answer = case.call(base_url=self.served.address, headers=headers, timeout=60)
            self.answers[answer.status_code] += 1
            if answer.status_code < 400:
                self.answering.add(operation.label)
            is_whole = arrived(case, answer.request.url)
            case.validate_response(answer, checks=CHECKS if is_whole else CHECKS_OF_ANSWERS)

        # What takes nothing cannot be asked wrongly.
        with suppress(Unsatisfiable):
            ask()


@pytest.fixture
def prober(served: ServerProcess, document: dict[str, Any], known: dict[str, str]) -> Prober:
    return Prober(served, schemathesis.openapi.from_dict(document), known)


def check_requests_as_described(prober: Prober, most: int) -> None:
    prober.ask_all(GenerationMode.POSITIVE, prober.served.key, most)

    assert prober.answers.keys() >= {200, 201, 404, 422}
    assert prober.answers[200] > prober.answers.total() / 4


def check_other_requests(prober: Prober, most: int) -> None:
    prober.ask_all(GenerationMode.NEGATIVE, prober.served.key, most)

    assert prober.answers.keys() >= {401, 404, 422}
    assert prober.answers[200] < prober.answers.total() / 8


@pytest.mark.slow
def test_requests_as_described_are_answered_as_described(prober: Prober) -> None:
    check_requests_as_described(prober, QUICK_EXAMPLES)


@pytest.mark.slow
def test_other_requests_are_refused_as_described(prober: Prober) -> None:
    check_other_requests(prober, QUICK_EXAMPLES)


@pytest.mark.slow
def test_without_a_key_only_health_is_told(prober: Prober) -> None:
    for mode in GenerationMode:
        prober.ask_all(mode, None, QUICK_EXAMPLES)

    assert prober.answers.keys() == {200, 401}
    assert prober.answering == {"GET /healthz", "GET /readyz"}


@pytest.mark.long
def test_many_requests_as_described_are_answered_as_described(prober: Prober) -> None:
    check_requests_as_described(prober, LONG_EXAMPLES)


@pytest.mark.long
def test_many_other_requests_are_refused_as_described(prober: Prober) -> None:
    check_other_requests(prober, LONG_EXAMPLES)
