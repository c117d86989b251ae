# SPDX-License-Identifier: Apache-2.0
"""Which jobs a request comes to.

A request is planned as one job, or as several under a batch: one for each property and variant, so
that they run side by side and each has its own answer. A variant's jobs need the proof of the
original. Where there is none yet, a job that makes it comes first; where one is under way already,
that one is needed and no second is begun.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from api.database.tables import files, jobs, proofs
from api.errors import InvalidError, TooManyError
from api.jobs.inputs import find_artifact
from api.jobs.states import FINISHED, UNFINISHED, State
from api.schemas import (
    BatchRequest,
    CheckRequest,
    ClassifyRequest,
    CompressRequest,
    FileKind,
    ProveRequest,
    ReverifyRequest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.engine import Connection

    from api.schemas import Compression, JobRequest, Network

RETRY_SECONDS = 30.0


def new_id() -> str:
    """Return an id: 32 hexadecimal digits, half of them the time in nanoseconds.

    One process never reads the same time twice, so jobs of one request are in order, too.
    """
    return f"{time.time_ns():016x}{secrets.token_hex(8)}"


@dataclass(eq=False)
class Planned:
    """A job to be.

    Attributes:
        kind: What is to be done; ``batch`` for one that only holds others together.
        request: The details, as the worker gets them.
        needs: Ids of jobs that have to succeed first.
        model: The model that it is about, where that is known already.
        property: The property that it is about.
        parent: Id of its batch.
        id: Its own; later jobs have greater ones.
    """

    kind: str
    request: Mapping[str, Any]
    needs: list[str] = field(default_factory=list)
    model: str | None = None
    property: str | None = None
    parent: str | None = None
    id: str = field(default_factory=new_id)


@dataclass(frozen=True)
class Variant:
    """A compressed model, or the job that makes it.

    Attributes:
        original: What it was made from.
        model: The compressed model, where it is known.
        model_of: The job that makes it, otherwise.
        neuron_map: Which neuron is which, where that was given.
    """

    original: str
    model: str | None = None
    model_of: str | None = None
    neuron_map: str | None = None


class Plan:
    """The jobs that a request comes to.

    Args:
        connection: Where files, proofs and other jobs are looked up.
        tenant: Whose.
        most: How many jobs it may come to.
    """

    def __init__(self, connection: Connection, tenant: str, most: int) -> None:
        self.connection = connection
        self.tenant = tenant
        self.most = most
        self.jobs: list[Planned] = []
        self._proving: dict[tuple[str, str], str | None] = {}
        self._made: dict[str, str | None] = {}
        self._fingerprints: dict[tuple[FileKind, str], str] = {}

    @property
    def answer(self) -> Planned:
        """The job that stands for the whole request: its batch, or else the last."""
        return next((job for job in self.jobs if job.kind == "batch"), self.jobs[-1])

    def add(self, request: JobRequest) -> None:
        """Plan a request.

        Raises:
            InvalidError: It names files or jobs that are not there, or are not what they should be.
            TooManyError: It comes to too many jobs.
        """
        match request:
            case CompressRequest():
                self._check(FileKind.MODEL, request.model)
                self._add(request.model_dump(mode="json"), model=request.model)
            case ProveRequest():
                self._check(FileKind.MODEL, request.model)
                self._check_properties(request.properties)
                parent = self._batch(request) if len(request.properties) > 1 else None
                for prop in request.properties:
                    self._prove(request.model, prop, request.timeout_seconds, parent)
            case ReverifyRequest():
                self._add_reverify(request)
            case ClassifyRequest():
                self._check(FileKind.MODEL, request.original, request.model)
                self._check(FileKind.NEURON_MAP, request.neuron_map)
                self._check(FileKind.PROPERTY, request.property)
                values = request.model_dump(mode="json")
                self._add(values, model=request.model, prop=request.property)
            case CheckRequest():
                self._check(FileKind.MODEL, request.model)
                self._check(FileKind.PROPERTY, request.property)
                self._check(FileKind.CERTIFICATE, request.certificate)
                values = request.model_dump(mode="json")
                self._add(values, model=request.model, prop=request.property)
            case BatchRequest():
                self._add_batch(request)

    def _add_reverify(self, request: ReverifyRequest) -> None:
        if (request.model is None) == (request.model_of is None):
            detail = "reverify takes either 'model' or 'model_of', and exactly one of them"
            raise InvalidError(detail)
        self._check(FileKind.MODEL, request.original, request.model)
        self._check(FileKind.NEURON_MAP, request.neuron_map)
        self._check_properties(request.properties)
        if request.model_of is not None:
            self._check_compression(request.model_of)
        parent = self._batch(request) if len(request.properties) > 1 else None
        for prop in request.properties:
            self._reverify(
                Variant(request.original, request.model, request.model_of, request.neuron_map),
                prop,
                request.timeout_seconds,
                parent,
            )

    def _add_batch(self, request: BatchRequest) -> None:
        self._check_properties(request.properties)
        for network in request.networks:
            self._check(FileKind.MODEL, network.original, *network.variants)
        parent = self._batch(request)
        for network in request.networks:
            for prop in request.properties:
                self._prove(network.original, prop, request.timeout_seconds, parent)
            for variant in self._variants(network, parent):
                for prop in request.properties:
                    self._reverify(variant, prop, request.timeout_seconds, parent)

    def _variants(self, network: Network, parent: str) -> Iterable[Variant]:
        for model in network.variants:
            yield Variant(network.original, model)
        for compression in network.compressions:
            yield Variant(network.original, model_of=self._compress(network, compression, parent))

    def _compress(self, network: Network, compression: Compression, parent: str) -> str:
        values = {"kind": "compress", "model": network.original, **compression.model_dump()}
        return self._add(values, model=network.original, parent=parent).id

    def _batch(self, request: JobRequest) -> str:
        batch = Planned("batch", request.model_dump(mode="json"))
        self.jobs.append(batch)
        return batch.id

    def _prove(
        self, model: str, prop: str, timeout_seconds: float | None, parent: str | None
    ) -> str:
        values = {
            "kind": "prove",
            "model": model,
            "property": prop,
            "timeout_seconds": timeout_seconds,
        }
        job = self._add(values, model=model, prop=prop, parent=parent)
        self._proving[model, prop] = job.id
        return job.id

    def _reverify(
        self, variant: Variant, prop: str, timeout_seconds: float | None, parent: str | None
    ) -> None:
        values = {
            "kind": "reverify",
            "original": variant.original,
            "model": variant.model,
            "model_of": variant.model_of,
            "neuron_map": variant.neuron_map,
            "property": prop,
            "timeout_seconds": timeout_seconds,
        }
        needed = [self._proof_maker(variant.original, prop, timeout_seconds), variant.model_of]
        ids = [job_id for job_id in needed if job_id is not None]
        model = variant.model or self._made.get(variant.model_of or "")
        self._add(values, model=model, prop=prop, parent=parent, needed=ids)

    def _proof_maker(self, model: str, prop: str, timeout_seconds: float | None) -> str | None:
        """Return the job that proves an original, None where there is a proof already."""
        if (model, prop) not in self._proving:
            self._proving[model, prop] = self._unfinished_proof(model, prop)
        if self._proving[model, prop] is None and not self._is_proved(model, prop):
            # Not within the batch: its answer is the original's, and stays when the batch goes.
            return self._prove(model, prop, timeout_seconds, None)
        return self._proving[model, prop]

    def _unfinished_proof(self, model: str, prop: str) -> str | None:
        query = select(jobs.c.id).where(
            jobs.c.tenant == self.tenant,
            jobs.c.kind == "prove",
            jobs.c.model == model,
            jobs.c.property == prop,
            jobs.c.state.in_(UNFINISHED),
            jobs.c.cancel_requested.is_(False),
        )
        # It does not end before this transaction does, or is seen to have ended.
        locked = query.order_by(jobs.c.id).limit(1).with_for_update(read=True)
        return self.connection.execute(locked).scalar()

    def _is_proved(self, model: str, prop: str) -> bool:
        query = select(proofs.c.sha256).where(
            proofs.c.tenant == self.tenant,
            proofs.c.model_fingerprint == self._fingerprint(FileKind.MODEL, model),
            proofs.c.property_fingerprint == self._fingerprint(FileKind.PROPERTY, prop),
        )
        return self.connection.execute(query).first() is not None

    def _add(
        self,
        values: Mapping[str, Any],
        *,
        model: str | None,
        prop: str | None = None,
        parent: str | None = None,
        needed: Iterable[str] = (),
    ) -> Planned:
        if len(self.jobs) >= self.most:
            detail = f"the request comes to more than the {self.most} jobs that a tenant may have"
            raise TooManyError(detail, RETRY_SECONDS)
        job = Planned(values["kind"], values, list(needed), model, prop, parent)
        self.jobs.append(job)
        return job

    def _check(self, kind: FileKind, *hashes: str | None) -> None:
        for sha256 in hashes:
            if sha256 is not None:
                self._fingerprint(kind, sha256)

    def _check_properties(self, hashes: Iterable[str]) -> None:
        seen: set[str] = set()
        for sha256 in hashes:
            if sha256 in seen:
                detail = f"property {sha256} is named twice"
                raise InvalidError(detail)
            seen.add(sha256)
            self._check(FileKind.PROPERTY, sha256)

    def _fingerprint(self, kind: FileKind, sha256: str) -> str:
        key = (kind, sha256)
        if key not in self._fingerprints:
            query = select(files.c.fingerprint).where(
                files.c.tenant == self.tenant, files.c.kind == kind, files.c.sha256 == sha256
            )
            found = self.connection.execute(query).scalar()
            if found is None:
                detail = f"there is no {kind} {sha256}; upload it first"
                raise InvalidError(detail)
            self._fingerprints[key] = found
        return self._fingerprints[key]

    def _check_compression(self, job_id: str) -> None:
        """Check that a job makes a model, and note which, if it has."""
        query = select(jobs.c.kind, jobs.c.state).where(
            jobs.c.id == job_id, jobs.c.tenant == self.tenant
        )
        # As above: whoever needs a job is told of its end, or knows of it.
        row = self.connection.execute(query.with_for_update(read=True)).first()
        if row is None or row.kind != "compress":
            detail = f"there is no compress job {job_id}"
            raise InvalidError(detail)
        state = State(row.state)
        if state == State.SUCCEEDED:
            self._made[job_id] = find_artifact(self.connection, job_id, "model")
        elif state in FINISHED:
            detail = f"compress job {job_id} has made no model: it is {state.replace('_', ' ')}"
            raise InvalidError(detail)
