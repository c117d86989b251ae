# SPDX-License-Identifier: Apache-2.0
"""What is tried again, when and how often: told from the steps, without any time going by."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from api.client import ClientError, ConnectionLostError, NotUnderstoodError, Patience, ProblemError
from api.client.conversation import Ask, Call, Conversation, Pause, Send
from api.schemas import Whoami

PATIENCE = Patience(tries=4, first_pause_seconds=0.5, longest_pause_seconds=20.0)
READ = Call("GET", "/v1/whoami")
CHANGE = Call("POST", "/v1/keys", may_repeat=False)
OK = httpx.Response(200, json={"tenant": "a", "actor": "b", "scopes": ["read"]})
LOST = httpx.ReadError("gone")
NEVER_THERE = httpx.ConnectError("refused")


def refusal(status: int, **headers: str) -> httpx.Response:
    document = {"title": "Busy", "status": status, "detail": "later"}
    return httpx.Response(status, json=document, headers=headers)


def after(call: Call, *outcomes: object) -> tuple[list[float], Any]:
    """Return the pauses of a conversation in which requests come out so, and its answer."""
    conversation, left = Conversation(Ask(PATIENCE)(call, Whoami)), list(outcomes)
    pauses = []
    while conversation.step is not None:
        if isinstance(conversation.step, Pause):
            pauses.append(conversation.step.seconds)
            conversation.go_on(None)
        else:
            assert conversation.step == Send(call)
            conversation.go_on(left.pop(0))
    assert left == []
    return pauses, conversation.answer


def test_an_answer_ends_it() -> None:
    assert after(READ, OK) == ([], Whoami(tenant="a", actor="b", scopes=["read"]))


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    pauses, answer = after(CHANGE, refusal(503, **{"Retry-After": "5"}), refusal(429), OK)

    assert pauses == [5.0, 1.0]
    assert answer.tenant == "a"


def test_pauses_grow_until_patience_ends() -> None:
    with pytest.raises(ProblemError) as raised:
        after(READ, *[refusal(503)] * PATIENCE.tries)

    assert raised.value.status == 503
    assert [PATIENCE.pause_seconds(n) for n in (1, 2, 3, 9)] == [0.5, 1.0, 2.0, 20.0]


def test_whoever_asks_for_a_long_pause_is_not_waited_for() -> None:
    with pytest.raises(ProblemError) as raised:
        after(READ, refusal(429, **{"Retry-After": "3600"}))

    assert raised.value.retry_after_seconds == 3600.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 500, 507])
def test_a_refusal_for_good_is_told_at_once(status: int) -> None:
    with pytest.raises(ProblemError) as raised:
        after(READ, refusal(status))

    told = raised.value
    assert (told.status, told.title, told.detail) == (status, "Busy", "later")
    assert str(told) == f"{status} Busy: later"


def test_a_lost_connection_is_made_again_where_that_changes_nothing() -> None:
    pauses, answer = after(READ, LOST, LOST, OK)

    assert pauses == [0.5, 1.0]
    assert answer.tenant == "a"


def test_what_may_have_been_done_is_not_done_again() -> None:
    with pytest.raises(ConnectionLostError, match="ReadError: gone"):
        after(CHANGE, LOST)


def test_what_was_never_begun_is_begun_again() -> None:
    assert after(CHANGE, NEVER_THERE, OK)[0] == [0.5]


def test_a_bad_gateway_is_not_asked_twice_to_change_something() -> None:
    assert after(READ, refusal(502), OK)[0] == [0.5]
    with pytest.raises(ProblemError):
        after(CHANGE, refusal(502))


def test_an_address_that_is_none_is_not_tried_again() -> None:
    with pytest.raises(ConnectionLostError):
        after(READ, httpx.UnsupportedProtocol("no scheme"))


def test_what_another_program_says_is_a_problem_all_the_same() -> None:
    with pytest.raises(ProblemError) as raised:
        after(READ, httpx.Response(413, html="<h1>Request Entity Too Large</h1>"))

    assert raised.value.title == "Request Entity Too Large"
    assert "<h1>" in raised.value.detail


def test_an_answer_that_is_something_else_is_not_taken_for_one() -> None:
    with pytest.raises(NotUnderstoodError):
        after(READ, httpx.Response(200, html="<p>sign in</p>"))


def test_the_errors_are_one_tree() -> None:
    assert issubclass(ProblemError, ClientError)
    assert issubclass(ConnectionLostError, ClientError)
    assert issubclass(NotUnderstoodError, ClientError)
