# SPDX-License-Identifier: Apache-2.0
"""What a client and a server say to each other, without saying how it gets across.

A conversation is a generator. It yields steps and is sent what came of each; what it returns is
the answer to the caller, and what it *gives* on the way are items of a list. Errors of a step are
raised where it was yielded. So trying again, which is the same for a client that blocks and for one
that does not, is written once: ``Ask``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from api.client.errors import ConnectionLostError, NotUnderstoodError, problem_of

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

T = TypeVar("T")

_TRY_LATER = (429, 503)
_BAD_GATEWAY = (502, 504)
_NOT_BEGUN = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_HOPELESS = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


@dataclass(frozen=True)
class Call:
    """A request.

    Attributes:
        method: GET, PUT, POST or DELETE.
        path: Where to.
        query: Said behind the path; what is None is left out.
        document: Sent as JSON.
        file: Sent as it is.
        headers: Said besides.
        may_repeat: Whether it changes nothing to ask twice.
        statuses: Of answers that are no problem, besides 200 to 299.
    """

    method: str
    path: str
    query: Mapping[str, str | int | None] = field(default_factory=dict)
    document: BaseModel | None = None
    file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    may_repeat: bool = True
    statuses: tuple[int, ...] = ()


@dataclass(frozen=True)
class Send:
    """Send a request; comes back with the answer, read to its end."""

    call: Call


@dataclass(frozen=True)
class Open:
    """Send a request; comes back with the answer, which ``Read`` reads if it is no problem."""

    call: Call


@dataclass(frozen=True)
class Read:
    """Read on in what was opened last; comes back with bytes, or None at the end."""


@dataclass(frozen=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True)
class Work:
    """Call a function that takes its time, such as one that reads a file."""

    function: Callable[[], Any]


@dataclass(frozen=True)
class Give(Generic[T]):
    """Hand an item to the caller."""

    item: T


Step = Send | Open | Read | Pause | Work
Steps = Generator[Step, Any, T]
Items = Generator[Step | Give[T], Any, None]


class Conversation(Generic[T]):
    """A conversation that is under way.

    Attributes:
        step: What is to be done now; None when it is over.
        answer: What came of it then.
    """

    def __init__(self, steps: Steps[T] | Items[T]) -> None:
        self._steps = steps
        self.step: Step | Give[T] | None = None
        self.answer: Any = None
        self.go_on(None)

    def go_on(self, came: object) -> None:
        """Tell what came of a step: a value, or an error that is raised where it was yielded."""
        try:
            if isinstance(came, Exception):
                self.step = self._steps.throw(came)
            else:
                self.step = self._steps.send(came)
        except StopIteration as end:
            self.step, self.answer = None, end.value

    def close(self) -> None:
        """Tidy up what was begun."""
        self._steps.close()


@dataclass(frozen=True)
class Patience:
    """How often to try again, and how long to wait before.

    Attributes:
        tries: How often a request is made before its failure is reported.
        first_pause_seconds: Pause after the first failure; each further one is twice as long.
        longest_pause_seconds: None is longer; where the server asks for more, its answer is
            reported at once.
    """

    tries: int = 8
    first_pause_seconds: float = 0.25
    longest_pause_seconds: float = 60.0

    def pause_seconds(self, failures: int) -> float:
        """Return how long to wait after so many failures."""
        return float(
            min(self.first_pause_seconds * 2 ** (failures - 1), self.longest_pause_seconds)
        )


STANDARD = Patience()


@dataclass(frozen=True)
class Ask:
    """Asks, and asks again where that can help and does no harm.

    A server that says "later" (429, 503) has done nothing, so anything may be repeated then, and
    also where no connection was made. Where a connection was lost nobody knows; then only what
    changes nothing when it is done twice is repeated.

    Attributes:
        patience: How often.
    """

    patience: Patience

    def __call__(self, call: Call, kind: type[T]) -> Steps[T]:
        """Ask, and return the answer as what it is.

        Raises:
            ProblemError: The server refused.
            ConnectionLostError: It cannot be reached.
            NotUnderstoodError: The answer is something else.
        """
        response = yield from self.response(call)
        return understood(kind, response.content)

    def response(self, call: Call) -> Steps[httpx.Response]:
        """Ask, and return the answer, read to its end."""
        return self._persist(Send(call))

    def opened(self, call: Call) -> Steps[httpx.Response]:
        """Ask, and return an answer that is still to be read."""
        return self._persist(Open(call))

    def _persist(self, step: Send | Open) -> Steps[httpx.Response]:
        failures = 0
        while True:
            failures += 1
            try:
                response: httpx.Response = yield step
            except httpx.RequestError as error:
                harmless = step.call.may_repeat or isinstance(error, _NOT_BEGUN)
                if isinstance(error, _HOPELESS) or not harmless or failures >= self.patience.tries:
                    raise lost(error) from error
                pause = self.patience.pause_seconds(failures)
            else:
                if response.is_success or response.status_code in step.call.statuses:
                    return response
                pause = self._pause_after(step.call, response, failures)
            yield Pause(pause)

    def _pause_after(self, call: Call, response: httpx.Response, failures: int) -> float:
        """Return how long to wait after a refusal that may be a passing one.

        Raises:
            ProblemError: It is not, or was too often.
        """
        problem = problem_of(response)
        passes = problem.status in _TRY_LATER or (
            problem.status in _BAD_GATEWAY and call.may_repeat
        )
        pause = max(self.patience.pause_seconds(failures), problem.retry_after_seconds or 0.0)
        if not passes or failures >= self.patience.tries:
            raise problem
        if pause > self.patience.longest_pause_seconds:
            raise problem
        return pause


def understood(kind: type[T], content: bytes) -> T:
    """Return an answer as what it is.

    Raises:
        NotUnderstoodError: It is something else.
    """
    try:
        return TypeAdapter(kind).validate_json(content)
    except ValidationError as error:
        msg = f"the answer is not what the API says; is this the server's version? {error}"
        raise NotUnderstoodError(msg) from error


def lost(error: httpx.RequestError | None) -> ConnectionLostError:
    """Return the error for a connection that is lost for good."""
    if error is None:
        return ConnectionLostError("the server ended the connection")
    place = error.request.url if error._request is not None else "the server"  # noqa: SLF001
    return ConnectionLostError(f"{place}: {type(error).__name__}: {error}".rstrip(": "))


def path(*parts: str) -> str:
    """Return a path of the API; no part can lead out of its place."""
    return "/".join(["", *(quote(part, safe="") for part in parts)])
