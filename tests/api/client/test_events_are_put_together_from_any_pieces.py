# SPDX-License-Identifier: Apache-2.0
"""The reader of event streams, held against what the standard says of lines and fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.client import NotUnderstoodError
from api.client.event_stream import MOST_BYTES, EventStream, Message

# What a line of JSON may contain, with characters at which Python would split it.
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00"), max_size=30
)
MESSAGES = st.lists(st.builds(Message, st.sampled_from(["state", "progress", "message"]), TEXTS))


def read(pieces: list[bytes]) -> list[Message]:
    stream = EventStream()
    return [message for piece in pieces for message in stream.messages(piece)]


@given(messages=MESSAGES, end=st.sampled_from(["\n", "\r\n", "\r"]), data=st.data())
def test_messages_come_out_as_they_went_in(
    messages: list[Message], end: str, data: st.DataObject
) -> None:
    lines = [f"event: {m.type}{end}data: {m.data}{end}id: 7{end}{end}" for m in messages]
    text = "".join(lines).encode() + f": ping{end}{end}".encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    edges = [0, *cuts, len(text)]

    found = read([text[a:b] for a, b in zip(edges, edges[1:], strict=False)])

    assert found == messages


def test_several_lines_of_data_are_one_text() -> None:
    assert read([b"data: a\ndata:b\n\n"]) == [Message("message", "a\nb")]


def test_a_message_without_data_is_none() -> None:
    assert read([b"event: state\n\n", b"data: a\n\n"])[-1].data == "a"


def test_a_message_that_does_not_end_is_not_given() -> None:
    assert read([b"data: a\n"]) == []


def test_a_line_without_end_is_refused() -> None:
    stream = EventStream()

    with pytest.raises(NotUnderstoodError):
        list(stream.messages(b"x" * (MOST_BYTES + 1)))
