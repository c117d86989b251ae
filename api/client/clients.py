# SPDX-License-Identifier: Apache-2.0
"""The two clients: one blocks and one does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, TypeVar

import httpx

from api.client.conversation import STANDARD, Conversation, Give
from api.client.methods import Methods
from api.client.wires import AsyncWire, Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType

    from api.client.conversation import Items, Patience, Steps

T = TypeVar("T")

TIMEOUT_SECONDS = 30.0
"""Longer than the pause between the signs of life in a stream of events."""


class Client(Methods):
    """A client that blocks. Used in a ``with`` statement, or closed at the end; by one thread.

    Args:
        address: Of the server: ``http://127.0.0.1:8484``.
        key: An API key, or a token of the identity provider.
        patience: How often to try again.
        timeout_seconds: How long the server may be silent.
        transport: What carries requests, if not the network.
    """

    def __init__(
        self,
        address: str,
        key: str,
        *,
        patience: Patience = STANDARD,
        timeout_seconds: float = TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        super().__init__(patience)
        self._http = httpx.Client(
            base_url=address, headers=_headers(key), timeout=timeout_seconds, transport=transport
        )

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        place: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def run(self, steps: Steps[T]) -> T:
        """Perform a conversation and return its answer."""
        wire, conversation = Wire(self._http), Conversation(steps)
        try:
            while conversation.step is not None:
                conversation.go_on(wire.outcome(conversation.step))
        finally:
            conversation.close()
            wire.close()
        return conversation.answer  # type: ignore[no-any-return]  # T, by the generator's type

    def iterate(self, steps: Items[T]) -> Iterator[T]:
        """Perform a conversation and yield what it gives."""
        wire, conversation = Wire(self._http), Conversation(steps)
        try:
            while conversation.step is not None:
                if isinstance(conversation.step, Give):
                    yield conversation.step.item
                conversation.go_on(wire.outcome(conversation.step))
        finally:
            conversation.close()
            wire.close()


class AsyncClient(Methods):
    """A client that does not block. Used in an ``async with`` statement, or closed at the end.

    Args:
        address: Of the server: ``http://127.0.0.1:8484``.
        key: An API key, or a token of the identity provider.
        patience: How often to try again.
        timeout_seconds: How long the server may be silent.
        transport: What carries requests, if not the network.
    """

    def __init__(
        self,
        address: str,
        key: str,
        *,
        patience: Patience = STANDARD,
        timeout_seconds: float = TIMEOUT_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(patience)
        self._http = httpx.AsyncClient(
            base_url=address, headers=_headers(key), timeout=timeout_seconds, transport=transport
        )

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        place: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def run(self, steps: Steps[T]) -> T:
        """Perform a conversation and return its answer."""
        wire, conversation = AsyncWire(self._http), Conversation(steps)
        try:
            while conversation.step is not None:
                conversation.go_on(await wire.outcome(conversation.step))
        finally:
            conversation.close()
            await wire.close()
        return conversation.answer  # type: ignore[no-any-return]  # T, by the generator's type

    async def iterate(self, steps: Items[T]) -> AsyncIterator[T]:
        """Perform a conversation and yield what it gives."""
        wire, conversation = AsyncWire(self._http), Conversation(steps)
        try:
            while conversation.step is not None:
                if isinstance(conversation.step, Give):
                    yield conversation.step.item
                conversation.go_on(await wire.outcome(conversation.step))
        finally:
            conversation.close()
            await wire.close()


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
