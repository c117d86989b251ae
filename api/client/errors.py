# SPDX-License-Identifier: Apache-2.0
"""Every error of the client, as one tree.

VerifierError
└── ClientError
    ├── ProblemError           the server refused, and said why
    ├── ConnectionLostError    the server cannot be reached, also not by trying again
    ├── NotUnderstoodError     an answer is not what the API says: another version, another program
    ├── NoArtifactError        a job has not made such a file
    ├── WrongContentError      a file that came in is not the one that was asked for
    └── WaitTimeoutError       a job did not end in the time that was given to it

Files that cannot be read or written here are ``OSError`` as everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from api.schemas import Problem
from verifier.errors import VerifierError

if TYPE_CHECKING:
    import httpx

    from api.schemas import JobDetail


class ClientError(VerifierError):
    """Base of the errors of the client."""


class ProblemError(ClientError):
    """The server refused.

    Attributes:
        status: Status of the answer.
        title: What kind of problem it is.
        detail: What is wrong, with place and value.
        retry_after_seconds: When the same may do; None where the server does not say.
    """

    def __init__(
        self, status: int, title: str, detail: str, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


class ConnectionLostError(ClientError):
    """The server cannot be reached."""


class NotUnderstoodError(ClientError):
    """An answer is not what the API says."""


class NoArtifactError(ClientError):
    """A job has not made such a file, or not yet."""


class WrongContentError(ClientError):
    """A file that came in has another SHA-256."""


class WaitTimeoutError(ClientError, TimeoutError):
    """A job has not ended yet.

    Attributes:
        job: As it was last seen.
    """

    def __init__(self, job: JobDetail, seconds: float) -> None:
        super().__init__(f"job {job.id} is {job.state} after {seconds:g} s")
        self.job = job


def problem_of(response: httpx.Response) -> ProblemError:
    """Return the problem that an answer tells of, whoever on the way has written it."""
    after = response.headers.get("Retry-After", "")
    seconds = float(after) if after.isascii() and after.isdigit() else None
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        text = response.text.strip()[:500] or "no more was said"
        return ProblemError(response.status_code, response.reason_phrase, text, seconds)
    return ProblemError(response.status_code, problem.title, problem.detail, seconds)
