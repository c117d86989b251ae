# SPDX-License-Identifier: Apache-2.0
"""What both clients can do: one table of methods."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from api.client import calls, requests
from api.client.conversation import Ask, Items, Patience, Steps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from api.client.clients import AsyncClient, Client

P = ParamSpec("P")
T = TypeVar("T")


class Method(Generic[P, T]):
    """A conversation as a method: it returns in one client, and is awaited in the other."""

    def __init__(self, describe: Callable[Concatenate[Ask, P], Steps[T]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Client, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...

    def __get__(self, client: Client | AsyncClient | None, owner: type) -> Any:
        """Return the method of a client."""
        return self if client is None else partial(_run, client, self._describe)


class Listing(Generic[P, T]):
    """A conversation as a method that iterates, with ``for`` or with ``async for``."""

    def __init__(self, describe: Callable[Concatenate[Ask, P], Items[T]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: Client, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: AsyncClient, owner: type) -> Callable[P, AsyncIterator[T]]: ...

    def __get__(self, client: Client | AsyncClient | None, owner: type) -> Any:
        """Return the method of a client."""
        return self if client is None else partial(_iterate, client, self._describe)


def _run(client: Client | AsyncClient, describe: Callable[..., Any], *a: Any, **k: Any) -> Any:
    return client.run(describe(client.ask, *a, **k))


def _iterate(client: Client | AsyncClient, describe: Callable[..., Any], *a: Any, **k: Any) -> Any:
    return client.iterate(describe(client.ask, *a, **k))


class Methods:
    """What both clients can do."""

    upload = Method(calls.upload)
    files = Listing(calls.files)
    file = Method(calls.file)
    fetch = Method(calls.fetch)
    remove = Method(calls.remove)

    submit = Method(calls.submit)
    prove = Method(requests.prove)
    reverify = Method(requests.reverify)
    compress = Method(requests.compress)
    classify = Method(requests.classify)
    check = Method(requests.check)
    batch = Method(requests.batch)

    job = Method(calls.job)
    jobs = Listing(calls.jobs)
    wait = Method(calls.wait)
    events = Listing(calls.events)
    cancel = Method(calls.cancel)
    download = Method(calls.download)

    whoami = Method(calls.whoami)
    keys = Method(calls.keys)
    make_key = Method(calls.make_key)
    revoke_key = Method(calls.revoke_key)
    audit = Listing(calls.audit)
    ready = Method(calls.ready)

    def __init__(self, patience: Patience) -> None:
        self.ask = Ask(patience)
