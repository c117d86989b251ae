# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the job server runs, small, and fills its place in a page."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from benchmarks.load import Answer, Waits, read_together
from benchmarks.served import Served
from benchmarks.service import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_a_small_run_fills_its_place(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- service -->\n<!-- end of service -->\n", encoding="utf-8")

    status = main(["--page", str(page), "--jobs", "3"])

    text = page.read_text(encoding="utf-8")
    assert status == 0, text
    assert "| SQLite | libraries of jobs that they have loaded | none |" in text
    for what in ("overhead of a job", "trivial jobs a second", "p50 / p99 of `GET /v1/jobs`"):
        assert f"| SQLite | {what}" in text or what in text
    assert "x 202" in text
    assert "x 429" in text


def test_waits_are_told_by_their_share() -> None:
    waits = Waits([0.001 * number for number in range(1, 101)], Counter({200: 100}))

    assert waits.milliseconds(0.5) == pytest.approx(51.0)
    assert waits.milliseconds(0.99) == pytest.approx(100.0)


def test_a_refusal_that_does_not_say_when_to_come_again_is_counted() -> None:
    waits = Waits()
    for answer in (Answer(429, False), Answer(429, True), Answer(503, False), Answer(200, False)):
        waits.add(0.1, answer)

    assert waits.silent == 2


def test_a_server_that_is_not_there_is_an_error() -> None:
    nowhere = Served("http://127.0.0.1:1", "key", 0)

    with pytest.raises(ConnectionRefusedError):
        asyncio.run(read_together(nowhere, "/v1/jobs", 2, 1))
