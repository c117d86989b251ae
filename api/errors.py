# SPDX-License-Identifier: Apache-2.0
"""Every error that ends a request, with the status that it is answered with.

VerifierError
└── ServiceError
    ├── UnauthenticatedError      401  no key, or one that is not valid
    ├── ForbiddenError            403  the key does not have the scope
    ├── NotFoundError             404  there is no such thing, or it is another tenant's
    ├── StalledError              408  an upload that does not go on
    ├── ConflictError             409  it contradicts what is there
    ├── LengthRequiredError       411  an upload that does not say how long it is
    ├── TooLargeError             413  an upload that is longer than allowed
    ├── InvalidError              422  a file or a request that makes no sense
    ├── TooManyError              429  over a quota or a rate; later it may do
    ├── BusyError                 503  the server has more to do than it can take
    └── (UnavailableError 503 and StorageFullError 507 of the database)
"""

from __future__ import annotations

from typing import ClassVar

from verifier.errors import VerifierError


class ServiceError(VerifierError):
    """Base of the errors that end a request."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers or {}


class UnauthenticatedError(ServiceError):
    """Nobody knows who is asking."""

    status = 401
    title = "A valid API key is needed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, {"WWW-Authenticate": "Bearer"})


class ForbiddenError(ServiceError):
    """Who is asking may not do this."""

    status = 403
    title = "Not allowed"


class NotFoundError(ServiceError):
    """There is no such thing, or it is another tenant's: the answer is the same."""

    status = 404
    title = "Not found"


class StalledError(ServiceError):
    """An upload does not go on."""

    status = 408
    title = "Stalled"


class ConflictError(ServiceError):
    """The request contradicts what is there."""

    status = 409
    title = "Conflict"


class LengthRequiredError(ServiceError):
    """An upload does not say how long it is."""

    status = 411
    title = "Content-Length is needed"


class TooLargeError(ServiceError):
    """An upload is longer than allowed."""

    status = 413
    title = "Too large"


class InvalidError(ServiceError):
    """A file or a request makes no sense."""

    status = 422
    title = "Not valid"


class TooManyError(ServiceError):
    """Over a quota or a rate."""

    status = 429
    title = "Too many"

    def __init__(self, detail: str, retry_after_seconds: float) -> None:
        super().__init__(detail, {"Retry-After": str(max(1, round(retry_after_seconds)))})


class BusyError(ServiceError):
    """The server has more to do than it can take."""

    status = 503
    title = "Busy"

    def __init__(self, detail: str, retry_after_seconds: float) -> None:
        super().__init__(detail, {"Retry-After": str(max(1, round(retry_after_seconds)))})
