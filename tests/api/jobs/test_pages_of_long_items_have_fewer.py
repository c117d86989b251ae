# SPDX-License-Identifier: Apache-2.0
"""A page is as short as its items are long, and the pages together leave out nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from api.database import paging
from api.files import file_page
from api.jobs.reading import Filter, job_page
from api.schemas import FileKind

if TYPE_CHECKING:
    from tests.api.jobs.ledger import Ledger

PROPERTIES = 20


@pytest.fixture
def made(ledger: Ledger) -> list[str]:
    """Return the ids of jobs of different length, newest first."""
    model = ledger.file(FileKind.MODEL, "m")
    props = [ledger.file(FileKind.PROPERTY, f"p{number}") for number in range(PROPERTIES)]
    for count in (1, PROPERTIES, PROPERTIES, 1, 2):
        ledger.submit(kind="prove", model=model, properties=props[:count])
    return sorted(ledger.all_jobs(), reverse=True)


@pytest.mark.parametrize("most_bytes", [1, 1000, 2500, 1 << 20])
@pytest.mark.parametrize("most", [1, 7, 200])
def test_all_pages_together_have_all_jobs(
    ledger: Ledger, made: list[str], monkeypatch: pytest.MonkeyPatch, most_bytes: int, most: int
) -> None:
    monkeypatch.setattr(paging, "MOST_BYTES", most_bytes)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        read = partial(job_page, tenant=ledger.tenant, chosen=Filter(), cursor=cursor, most=most)
        page = ledger.database.read(read)
        lengths = [len(item.model_dump_json()) for item in page.items]
        assert len(lengths) == 1 or sum(lengths) < most_bytes + 600 * len(lengths)
        assert 1 <= len(lengths) <= most
        seen += [item.id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == made


def test_all_pages_together_have_all_files(
    ledger: Ledger, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del made
    monkeypatch.setattr(paging, "MOST_BYTES", 100)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        kind = FileKind.PROPERTY
        read = partial(file_page, tenant=ledger.tenant, kind=kind, cursor=cursor, most=200)
        page = ledger.database.read(read)
        assert 1 <= len(page.items) < PROPERTIES
        seen += [item.name for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(f"p{number}" for number in range(PROPERTIES))


def test_an_empty_list_is_a_page(ledger: Ledger) -> None:
    page = ledger.database.read(lambda c: job_page(c, ledger.tenant, Filter(), None, 5))
    assert (page.items, page.next_cursor) == ([], None)
