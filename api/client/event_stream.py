# SPDX-License-Identifier: Apache-2.0
"""Server-sent events, read from the bytes as they come (WHATWG HTML, section 9.2).

Lines end with CR, LF or both. ``str.splitlines`` would also split at characters that a JSON text
may contain, and a piece may end anywhere, so lines are found in the bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.client.errors import NotUnderstoodError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 16 << 20
_LINE_END = re.compile(rb"\r\n|\n|\r(?=.)", re.DOTALL)


@dataclass(frozen=True)
class Message:
    """One event of a stream."""

    type: str
    data: str


class EventStream:
    """Puts messages together."""

    def __init__(self) -> None:
        self._rest = b""
        self._type = ""
        self._data: list[str] = []

    def messages(self, piece: bytes) -> Iterator[Message]:
        """Yield the messages that a piece completes.

        Raises:
            NotUnderstoodError: A message is longer than any that a server sends.
        """
        *lines, self._rest = _LINE_END.split(self._rest + piece)
        if len(self._rest) > MOST_BYTES:
            msg = f"an event has more than {MOST_BYTES} bytes"
            raise NotUnderstoodError(msg)
        for line in lines:
            if line:
                self._take(line.decode("utf-8", "replace"))
            elif self._data:
                yield Message(self._type or "message", "\n".join(self._data))
                self._type, self._data = "", []

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
