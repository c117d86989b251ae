# SPDX-License-Identifier: Apache-2.0
"""What goes in and out over HTTP, for the server and for its client."""

# Annotations are read at run time here, so they are not postponed.
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    JsonValue,
    model_validator,
)

from api.jobs.states import Outcome, State

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of a file")]
JobId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
FAR = datetime(9000, 1, 1, tzinfo=UTC)
Seconds = Annotated[float, Field(gt=0, le=30 * 24 * 3600, allow_inf_nan=False)]
OptionName = Annotated[str, Field(pattern=r"^[a-z_]{1,64}$")]
OptionValue = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.,:+/-]{1,200}$")]
MOST_FIELDS = 32


def _check_fields(value: Any) -> Any:
    """Refuse an object of thousands of fields at once, and not with an error for each."""
    if isinstance(value, dict) and len(value) > MOST_FIELDS:
        msg = f"an object of {len(value)} fields; it may have {MOST_FIELDS}"
        raise ValueError(msg)
    return value


Options = Annotated[
    dict[OptionName, OptionValue], Field(max_length=MOST_FIELDS), BeforeValidator(_check_fields)
]
# A list of thousands of things that are none is refused with the first of them.
Properties = Annotated[list[Sha256], Field(min_length=1, max_length=1000), FailFast()]


class FileKind(StrEnum):
    """What a file is."""

    MODEL = "model"
    PROPERTY = "property"
    PROOF = "proof"
    CERTIFICATE = "certificate"
    NEURON_MAP = "neuron_map"


FOLDERS = {
    "models": FileKind.MODEL,
    "properties": FileKind.PROPERTY,
    "proofs": FileKind.PROOF,
    "certificates": FileKind.CERTIFICATE,
    "neuron-maps": FileKind.NEURON_MAP,
}
"""Where files of each kind are found."""


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"  # see files, jobs and results
    WRITE = "write"  # upload, submit and cancel
    METRICS = "metrics"  # read the metrics of the whole server
    ADMIN = "admin"  # make and revoke the tenant's keys, read its audit log


class Strict(BaseModel):
    """A request: what it does not name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _has_few_fields(cls, value: Any) -> Any:
        return _check_fields(value)


class CompressRequest(Strict):
    """Make a smaller variant of a model."""

    kind: Literal["compress"]
    model: Sha256
    method: OptionName
    options: Options = {}


class ProveRequest(Strict):
    """Verify properties of a model, and keep the proofs for reuse."""

    kind: Literal["prove"]
    model: Sha256
    properties: Properties
    timeout_seconds: Seconds | None = None


class ReverifyRequest(Strict):
    """Verify properties of a compressed model by reusing the proofs of its original.

    A proof that is not there yet is made first, by a job of its own.
    """

    kind: Literal["reverify"]
    original: Sha256
    model: Sha256 | None = Field(None, description="the compressed model")
    model_of: JobId | None = Field(None, description="the compress job that makes it, instead")
    neuron_map: Sha256 | None = None
    properties: Properties
    timeout_seconds: Seconds | None = None


class ClassifyRequest(Strict):
    """Tell what compression changed, layer by layer."""

    kind: Literal["classify"]
    original: Sha256
    model: Sha256
    neuron_map: Sha256 | None = None
    property: Sha256 | None = None


class CheckRequest(Strict):
    """Have the independent checker judge a certificate."""

    kind: Literal["check"]
    certificate: Sha256
    model: Sha256
    property: Sha256


class Compression(Strict):
    """A way to compress."""

    method: OptionName
    options: Options = {}


class Network(Strict):
    """An original with its variants: compressed models, and ways to make some."""

    original: Sha256
    variants: Annotated[list[Sha256], FailFast()] = Field(default=[], max_length=100)
    compressions: Annotated[list[Compression], FailFast()] = Field(default=[], max_length=100)


class BatchRequest(Strict):
    """Verify every property of every network, and of every variant by reuse."""

    kind: Literal["batch"]
    networks: Annotated[list[Network], FailFast()] = Field(min_length=1, max_length=1000)
    properties: Properties
    timeout_seconds: Seconds | None = None


JobRequest = Annotated[
    CompressRequest
    | ProveRequest
    | ReverifyRequest
    | ClassifyRequest
    | CheckRequest
    | BatchRequest,
    Field(discriminator="kind"),
]


class Answer(BaseModel):
    """A response."""

    model_config = ConfigDict(frozen=True)


class Problem(Answer):
    """Why a request was not answered, or a job failed (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str | None = None


class StoredFile(Answer):
    """A file that was uploaded, or made by a job."""

    kind: FileKind
    sha256: Sha256
    bytes: int
    name: str
    summary: dict[str, JsonValue]
    created_at: datetime


class FilePage(Answer):
    """A part of a list of files."""

    items: list[StoredFile]
    next_cursor: str | None


class Attempt(Answer):
    """One try at a job."""

    number: int
    outcome: Outcome
    started_at: datetime
    ended_at: datetime | None
    exit_status: int | None
    detail: str


class Artifact(Answer):
    """A file that a job made."""

    name: str
    file_name: str
    sha256: Sha256
    bytes: int
    media_type: str


class Job(Answer):
    """A job as it stands."""

    id: JobId
    kind: str
    state: State
    request: dict[str, Any]
    parent: JobId | None
    model: Sha256 | None
    property: Sha256 | None
    verdict: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobDetail(Job):
    """A job with all that is known of it."""

    result: dict[str, Any] | None
    problem: dict[str, Any] | None
    needs: list[JobId]
    attempts: list[Attempt]
    artifacts: list[Artifact]
    children: dict[State, int] = Field(description="of a batch: its jobs by state")


class JobPage(Answer):
    """A part of a list of jobs."""

    items: list[Job]
    next_cursor: str | None


class Event(Answer):
    """Something that happened to a job."""

    number: int
    type: str
    data: dict[str, Any]
    at: datetime


class EventPage(Answer):
    """Events of a job after a number."""

    items: list[Event]
    is_finished: bool


class KeyRequest(Strict):
    """A key to make."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
    scopes: list[Scope] = Field(min_length=1, max_length=4)
    expires_at: Annotated[AwareDatetime, Field(lt=FAR)] | None = None


class Key(Answer):
    """A key, without its secret."""

    prefix: str
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKey(Key):
    """A key with its secret, which is shown this once."""

    key: str


class AuditEntry(Answer):
    """Something that was done, and by whom."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str
    address: str
    detail: dict[str, Any]


class AuditPage(Answer):
    """A part of the audit log, newest first."""

    items: list[AuditEntry]
    next_cursor: str | None


class Readiness(Answer):
    """Whether the server can take work."""

    ready: bool
    database: str
    storage: str
    workers: int
    isolation: dict[str, Any]


class Whoami(Answer):
    """Who is asking."""

    tenant: str
    actor: str
    scopes: list[Scope]
