# SPDX-License-Identifier: Apache-2.0
"""From the request to the command line: every file is the one that was asked for."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from api.database.tables import files
from api.errors import ConflictError
from api.file_register import FileRecord, register
from api.files import remove_file
from api.jobs.queue import Ending
from api.jobs.reading import Filter, job_page
from api.jobs.states import Outcome, State
from api.schemas import FileKind
from tests.api.jobs.ledger import Ledger, sha256
from tests.api.jobs.symbolic import Stage

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Connection

METHODS = ("one_way", "another_way")


@pytest.fixture
def stage(ledger: Ledger, tmp_path: Path) -> Stage:
    """Return a tenant with two networks, a variant of each, and two properties."""
    made = Stage(ledger, tmp_path / "blobs")
    for kind, names in ((FileKind.MODEL, "mnvw"), (FileKind.PROPERTY, "pq")):
        for name in names:
            made.file(kind, name)
    return made


def batch_terms(stage: Stage, batch: str) -> list[str]:
    """Return what the jobs of a batch have worked on."""
    found = stage.ledger.database.read(
        lambda c: job_page(c, stage.ledger.tenant, Filter(parent=batch), None, 100)
    )
    return sorted(stage.of(job.id) for job in found.items)


def reverified(variant: str, prop: str, original: str, neuron_map: str = "none") -> str:
    """Return the term of a variant that was verified by reuse."""
    proof = f"prove({original}, {prop})"
    return f"reverify({variant}, {prop}, {original}, {proof}, {neuron_map})"


def test_a_batch_is_every_pair_and_nothing_is_confused(stage: Stage) -> None:
    compressions = [{"method": method, "options": {}} for method in METHODS]
    networks = [
        {"original": sha256(original), "variants": [sha256(variant)], "compressions": compressions}
        for original, variant in ("mv", "nw")
    ]
    batch = stage.ledger.submit(
        kind="batch", networks=networks, properties=[sha256("p"), sha256("q")]
    )

    stage.run_all()

    expected: list[str] = []
    for original, variant in ("mv", "nw"):
        made = {f"compress({original}, {way})": f"map({original}, {way})" for way in METHODS}
        expected += made
        for prop in "pq":
            expected += [f"prove({original}, {prop})", reverified(variant, prop, original)]
            expected += [reverified(term, prop, original, made[term]) for term in made]
    assert batch_terms(stage, batch) == sorted(expected)


def test_what_a_job_says_it_is_about_is_what_it_has_worked_on(stage: Stage) -> None:
    original = sha256("m")
    makers = [
        stage.ledger.submit(kind="compress", model=original, method=method) for method in METHODS
    ]
    pairs = [
        (
            stage.ledger.submit(
                kind="reverify", original=original, model_of=maker, properties=[sha256(prop)]
            ),
            f"compress(m, {method})",
            prop,
        )
        for (maker, method), prop in product(zip(makers, METHODS, strict=True), "pq")
    ]
    stage.run_all()

    for job_id, model, prop in pairs:
        job = stage.ledger.job(job_id)
        assert stage.of(job_id).startswith(f"reverify({model}, {prop}, m, prove(m, {prop})")
        assert (job.model, job.property) == (sha256(model), sha256(prop))
        assert stage.artifact(job_id, "certificate") == f"certificate({model}, {prop})"
        told = summary(stage, FileKind.CERTIFICATE, f"certificate({model}, {prop})")
        subject = {"network": f"print of {model}", "property": f"print of {prop}"}
        assert told == subject | {"verdict": "holds"}
    for maker, method in zip(makers, METHODS, strict=True):
        artifacts = {made.name: made.sha256 for made in stage.ledger.job(maker).artifacts}
        assert artifacts == {
            "model": sha256(f"compress(m, {method})"),
            "neuron_map": sha256(f"map(m, {method})"),
            "compression_report": sha256(f"report(m, {method})"),
        }


def summary(stage: Stage, kind: FileKind, content: str) -> dict[str, Any]:
    """Return what is known of a file."""
    query = select(files.c.summary).where(files.c.kind == kind, files.c.sha256 == sha256(content))
    return dict(stage.ledger.database.read(lambda c: c.execute(query).scalar_one()))


def test_comparisons_and_checks_take_their_files_in_their_order(stage: Stage) -> None:
    neuron_map = stage.file(FileKind.NEURON_MAP, "map")
    certificate = stage.file(FileKind.CERTIFICATE, "certificate")
    pair = {"original": sha256("m"), "model": sha256("v")}
    bare = stage.ledger.submit(kind="classify", **pair)
    full = stage.ledger.submit(kind="classify", **pair, neuron_map=neuron_map, property=sha256("q"))
    check = stage.ledger.submit(
        kind="check", certificate=certificate, model=sha256("v"), property=sha256("q")
    )
    mapped = stage.ledger.submit(
        kind="reverify", **pair, neuron_map=neuron_map, properties=[sha256("q")]
    )

    stage.run_all()

    assert stage.of(bare) == "classify(m, v, none, none)"
    assert stage.of(full) == "classify(m, v, map, q)"
    assert stage.of(check) == "check(certificate, v, q)"
    assert stage.of(mapped) == reverified("v", "q", "m", "map")


def test_a_model_that_was_made_before_is_noted_at_once(stage: Stage) -> None:
    maker = stage.ledger.submit(kind="compress", model=sha256("m"), method="one_way")
    stage.run_all()

    job_id = stage.ledger.submit(
        kind="reverify", original=sha256("m"), model_of=maker, properties=[sha256("p")]
    )
    before = stage.ledger.job(job_id).model
    stage.run_all()

    assert before == stage.ledger.job(job_id).model == sha256("compress(m, one_way)")
    assert stage.of(job_id) == reverified("compress(m, one_way)", "p", "m", "map(m, one_way)")


def test_a_map_from_another_network_is_not_used(stage: Stage) -> None:
    maker = stage.ledger.submit(kind="compress", model=sha256("v"), method="one_way")
    job_id = stage.ledger.submit(
        kind="reverify", original=sha256("m"), model_of=maker, properties=[sha256("p")]
    )

    stage.run_all()

    assert stage.of(job_id) == reverified("compress(v, one_way)", "p", "m")


def test_proofs_of_other_tenants_are_not_used(stage: Stage) -> None:
    subject = {"network": "print of m", "property": "print of p"}
    record = FileRecord(FileKind.PROOF, sha256("another"), 7, "", subject)
    stage.ledger.database.write(lambda c: register(c, "another", record))
    job_id = stage.ledger.submit(
        kind="reverify", original=sha256("m"), model=sha256("v"), properties=[sha256("p")]
    )

    stage.run_all()

    assert stage.of(job_id) == reverified("v", "p", "m")


def test_proofs_that_other_tenants_make_are_not_waited_for(stage: Stage) -> None:
    other = Ledger(stage.ledger.database, "another", stage.ledger.settings)
    under_way = other.prove("m", "p")
    job_id = stage.ledger.submit(
        kind="reverify", original=sha256("m"), model=sha256("v"), properties=[sha256("p")]
    )

    stage.run_all()

    assert under_way not in stage.ledger.job(job_id).needs
    assert stage.of(job_id) == reverified("v", "p", "m")


def test_a_proof_of_something_else_is_no_proof(stage: Stage) -> None:
    for original, prop in ("mp", "nq"):
        stage.ledger.submit(kind="prove", model=sha256(original), properties=[sha256(prop)])
    stage.run_all()
    asked = [
        (
            stage.ledger.submit(
                kind="reverify",
                original=sha256(original),
                model=sha256(variant),
                properties=[sha256(prop)],
            ),
            reverified(variant, prop, original),
        )
        for original, variant, prop in ("mvq", "nwp")
    ]

    stage.run_all()

    assert [stage.of(job_id) for job_id, _ in asked] == [term for _, term in asked]


def test_a_job_whose_model_is_gone_runs_on_no_other(stage: Stage) -> None:
    maker = stage.ledger.submit(kind="compress", model=sha256("m"), method="one_way")
    job_id = stage.ledger.submit(
        kind="reverify", original=sha256("m"), model_of=maker, properties=[sha256("p")]
    )
    lease = stage.ledger.claim()
    assert lease.job_id == maker
    stage.ledger.queue.finish(lease, Ending(Outcome.ANSWERED, result={"command": "compress"}))
    stage.run_all()

    job = stage.ledger.job(job_id)

    assert (job.state, job.verdict) == (State.FAILED, None)
    assert job.problem is not None
    assert "the model" in job.problem["detail"]


def test_a_damaged_file_is_not_worked_on(stage: Stage) -> None:
    job_id = stage.ledger.submit(kind="prove", model=sha256("m"), properties=[sha256("p")])
    stage.blobs.path(sha256("m")).write_bytes(b"n")

    for _ in range(stage.ledger.settings.max_attempts):
        assert stage.ledger.job(job_id).state == State.QUEUED
        stage.wait_for_nothing()
        stage.run_all()

    job = stage.ledger.job(job_id)
    assert (job.state, job.verdict, job.artifacts) == (State.FAILED, None, [])
    assert job.problem is not None
    assert f"{sha256('m')} is damaged" in job.problem["detail"]


def test_a_job_waits_for_a_file_that_is_not_there(stage: Stage) -> None:
    job_id = stage.ledger.submit(kind="prove", model=sha256("m"), properties=[sha256("p")])
    place = stage.blobs.path(sha256("m"))
    content = place.read_bytes()
    place.unlink()

    for _ in range(stage.ledger.settings.max_attempts + 1):
        stage.wait_for_nothing()
        stage.run_all()
        job = stage.ledger.job(job_id)
        assert (job.state, job.verdict, job.artifacts) == (State.QUEUED, None, [])
        assert f"lacks {sha256('m')}" in job.attempts[-1].detail
    place.write_bytes(content)
    stage.wait_for_nothing()
    stage.run_all()

    assert stage.of(job_id) == "prove(m, p)"


def test_a_model_is_not_removed_while_a_job_waits_for_it(stage: Stage) -> None:
    maker = stage.ledger.submit(kind="compress", model=sha256("m"), method="one_way")
    stage.run_all()
    stage.ledger.submit(
        kind="reverify", original=sha256("m"), model_of=maker, properties=[sha256("p")]
    )
    made = sha256("compress(m, one_way)")

    def remove(connection: Connection) -> None:
        remove_file(connection, stage.ledger.caller, FileKind.MODEL, made)

    with pytest.raises(ConflictError, match=made):
        stage.ledger.database.write(remove)
    stage.run_all()
    stage.ledger.database.write(remove)
