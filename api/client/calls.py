# SPDX-License-Identifier: Apache-2.0
"""The methods of both clients: what is asked, and what the answer is.

``ask`` comes first in each and is the client's; it tries again where that helps.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from api.client.conversation import Call, Give, Pause, Read, Work, lost, path, understood
from api.client.errors import NoArtifactError, ProblemError, WaitTimeoutError, WrongContentError
from api.client.event_stream import EventStream
from api.jobs.states import FINISHED, State
from api.schemas import (
    FOLDERS,
    AuditEntry,
    AuditPage,
    Event,
    FilePage,
    Job,
    JobDetail,
    JobPage,
    Key,
    KeyRequest,
    NewKey,
    Readiness,
    StoredFile,
    Whoami,
)

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from api.client.conversation import Ask, Items, Steps
    from api.schemas import FileKind, JobRequest, Scope

T = TypeVar("T")

FOLDER_OF = {kind: folder for folder, kind in FOLDERS.items()}
PAGE_ITEMS = 200
FIRST_LOOK_SECONDS, LAST_LOOK_SECONDS = 0.1, 2.0


# --- files -----------------------------------------------------------------------------------


def upload(ask: Ask, kind: FileKind, source: Path, name: str | None = None) -> Steps[StoredFile]:
    """Upload a file, unless the server has it.

    Args:
        ask: The client's.
        kind: What the file is.
        source: Where it lies.
        name: What to call it, if not as it is called there.
    """
    sha256 = yield Work(partial(_digest, source))
    place = path("v1", FOLDER_OF[kind], sha256)
    try:
        return (yield from ask(Call("GET", place), StoredFile))
    except ProblemError as problem:
        if problem.status != httpx.codes.NOT_FOUND:
            raise
    query = {"name": source.name if name is None else name}
    return (yield from ask(Call("PUT", place, query, file=source), StoredFile))


def files(ask: Ask, kind: FileKind) -> Items[StoredFile]:
    """List files of one kind."""
    return _items(ask, path("v1", FOLDER_OF[kind]), FilePage, {})


def file(ask: Ask, kind: FileKind, sha256: str) -> Steps[StoredFile]:
    """Tell what a file is."""
    return ask(Call("GET", path("v1", FOLDER_OF[kind], sha256)), StoredFile)


def fetch(ask: Ask, kind: FileKind, sha256: str, target: Path) -> Steps[Path]:
    """Fetch a file and return where it lies; see ``download``."""
    call = Call("GET", path("v1", FOLDER_OF[kind], sha256, "content"))
    return _save(ask, call, sha256, target)


def remove(ask: Ask, kind: FileKind, sha256: str) -> Steps[None]:
    """Remove a file from the server."""
    yield from ask.response(Call("DELETE", path("v1", FOLDER_OF[kind], sha256)))


# --- jobs ------------------------------------------------------------------------------------


def submit(ask: Ask, request: JobRequest, idempotency_key: str | None = None) -> Steps[JobDetail]:
    """Submit a job.

    Args:
        ask: The client's.
        request: What for.
        idempotency_key: Under which name: asking again under it, tomorrow or from elsewhere, gives
            the same job. Without one, each call makes a job of its own, and exactly one.
    """
    key = secrets.token_hex(16) if idempotency_key is None else idempotency_key
    call = Call("POST", path("v1", "jobs"), document=request, headers={"Idempotency-Key": key})
    return ask(call, JobDetail)


def job(ask: Ask, job_id: str) -> Steps[JobDetail]:
    """Return all that is known of a job."""
    return ask(Call("GET", path("v1", "jobs", job_id)), JobDetail)


def jobs(
    ask: Ask,
    *,
    state: State | None = None,
    kind: str | None = None,
    parent: str | None = None,
    model: str | None = None,
    property: str | None = None,  # noqa: A002 - the name in the query
) -> Items[Job]:
    """List jobs, newest first; those of a certain state, kind, batch, model or property."""
    chosen = {"state": state, "kind": kind, "parent": parent, "model": model, "property": property}
    return _items(ask, path("v1", "jobs"), JobPage, chosen)


def wait(ask: Ask, job_id: str, timeout_seconds: float | None = None) -> Steps[JobDetail]:
    """Wait until a job has ended, however it did, and return it.

    Raises:
        WaitTimeoutError: It has not; it goes on.
    """
    started = time.monotonic()
    while True:
        found = yield from job(ask, job_id)
        if found.state in FINISHED:
            return found
        waited = time.monotonic() - started
        # Ten looks while a wait becomes e times as long: soon for short jobs, seldom for long ones.
        pause = min(max(waited / 10, FIRST_LOOK_SECONDS), LAST_LOOK_SECONDS)
        if timeout_seconds is not None:
            if waited >= timeout_seconds:
                raise WaitTimeoutError(found, timeout_seconds)
            pause = min(pause, timeout_seconds - waited)
        yield Pause(pause)


def events(ask: Ask, job_id: str, after: int = 0) -> Items[Event]:
    """Follow a job from an event to its end, over lost connections; no event comes twice.

    Raises:
        ConnectionLostError: The connection was lost again and again, and nothing came in between.
    """
    number, failures = after, 0
    while True:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(number)}
        yield from ask.opened(Call("GET", path("v1", "jobs", job_id, "events"), headers=headers))
        stream, error = EventStream(), None
        try:
            while (piece := (yield Read())) is not None:
                for message in stream.messages(piece):
                    if message.type == "end":
                        return
                    event = understood(Event, message.data.encode())
                    number, failures = event.number, 0
                    yield Give(event)
        except httpx.RequestError as loss:
            error = loss
        failures += 1
        if failures >= ask.patience.tries:
            raise lost(error) from error
        yield Pause(ask.patience.pause_seconds(failures))


def cancel(ask: Ask, job_id: str) -> Steps[JobDetail]:
    """Ask for the end of a job, or of all jobs of a batch; one that has ended stays as it is."""
    return ask(Call("DELETE", path("v1", "jobs", job_id)), JobDetail)


def download(ask: Ask, job_id: str, artifact: str, target: Path) -> Steps[Path]:
    """Fetch a file that a job made, and return where it lies.

    What lay there is replaced once all has come in and its SHA-256 is right.

    Raises:
        NoArtifactError: The job has not made such a file, or not yet.
        WrongContentError: What came in is something else.
    """
    call = Call("GET", path("v1", "jobs", job_id, "artifacts", artifact))
    found = yield from job(ask, job_id)
    sha256 = {made.name: made.sha256 for made in found.artifacts}
    if artifact not in sha256:
        msg = f"job {job_id} ({found.state}) has no {artifact!r}; it has: {', '.join(sha256)}"
        raise NoArtifactError(msg)
    return (yield from _save(ask, call, sha256[artifact], target))


# --- access and health -----------------------------------------------------------------------


def whoami(ask: Ask) -> Steps[Whoami]:
    """Tell whose key this is, and what it may do."""
    return ask(Call("GET", path("v1", "whoami")), Whoami)


def keys(ask: Ask) -> Steps[list[Key]]:
    """List the tenant's keys, without their secrets."""
    return ask(Call("GET", path("v1", "keys")), list[Key])


def make_key(
    ask: Ask, name: str, scopes: list[Scope], expires_at: datetime | None = None
) -> Steps[NewKey]:
    """Make a key; its secret is shown this once."""
    request = KeyRequest(name=name, scopes=scopes, expires_at=expires_at)
    return ask(Call("POST", path("v1", "keys"), document=request, may_repeat=False), NewKey)


def revoke_key(ask: Ask, prefix: str) -> Steps[None]:
    """End a key at once."""
    yield from ask.response(Call("DELETE", path("v1", "keys", prefix)))


def audit(ask: Ask) -> Items[AuditEntry]:
    """List who did what, newest first."""
    return _items(ask, path("v1", "audit"), AuditPage, {})


def ready(ask: Ask) -> Steps[Readiness]:
    """Tell whether the server can take work, and how well jobs are confined."""
    return ask(Call("GET", path("readyz"), statuses=(503,)), Readiness)


# --- what several of them do -----------------------------------------------------------------


def _items(ask: Ask, place: str, kind: type[Any], query: dict[str, str | None]) -> Items[Any]:
    """Give the items of all pages of a list."""
    cursor: str | None = None
    while True:
        call = Call("GET", place, {**query, "limit": PAGE_ITEMS, "cursor": cursor})
        page = yield from ask(call, kind)
        for item in page.items:
            yield Give(item)
        cursor = page.next_cursor
        if cursor is None:
            return


def _save(ask: Ask, call: Call, sha256: str, target: Path) -> Steps[Path]:
    """Save an answer to a file, trying again when the connection is lost on the way."""
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    failures = 0
    try:
        while True:
            yield from ask.opened(call)
            try:
                found = yield from _write(part)
                break
            except httpx.RequestError as error:
                failures += 1
                if failures >= ask.patience.tries:
                    raise lost(error) from error
            yield Pause(ask.patience.pause_seconds(failures))
        if found != sha256:
            msg = f"{call.path} came in with the SHA-256 {found}, not {sha256}"
            raise WrongContentError(msg)
        part.replace(target)
        return target
    finally:
        part.unlink(missing_ok=True)


def _write(part: Path) -> Steps[str]:
    """Write what was opened to a file and return its SHA-256."""
    digest = hashlib.sha256()
    with part.open("wb") as file:
        while (piece := (yield Read())) is not None:
            digest.update(piece)
            yield Work(partial(file.write, piece))
    return digest.hexdigest()


def _digest(source: Path) -> str:
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
