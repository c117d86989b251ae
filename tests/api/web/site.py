# SPDX-License-Identifier: Apache-2.0
"""The pages of a server without workers: what jobs answered is put into the database by hand."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import update

from api.access.gate import COOKIE
from api.access.keys import KeyTerms, begin_session, create_key, identify
from api.app import make_app
from api.database.tables import jobs
from api.file_register import FileRecord, register
from api.jobs.states import State
from api.sandbox.plan import UNCONFINED
from api.schemas import FileKind, Scope
from api.server import make_server
from api.settings import Settings
from tests.api.jobs.ledger import Ledger, sha256

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fastapi import FastAPI

ADDRESS = "http://127.0.0.1"
PERSON = {"accept": "text/html"}
EVERYTHING = tuple(Scope)


@dataclass(frozen=True)
class Site:
    """A server's pages.

    Attributes:
        app: The application, without its lifespan: so no workers are started.
        ledger: Submits jobs, for the tenant ``one``.
        cookies: What the browser keeps; nobody is signed in at first.
    """

    app: FastAPI
    ledger: Ledger
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)

    def key(self, *scopes: Scope, tenant: str = "one") -> str:
        """Make a key."""
        terms = KeyTerms(tenant, "for a test", scopes or EVERYTHING)
        return self.ledger.database.write(lambda c: create_key(c, terms)).key

    def enter(self, *scopes: Scope, tenant: str = "one") -> None:
        """Sign in without the page."""
        key = self.key(*scopes, tenant=tenant)

        def work(connection: Any) -> str:
            return begin_session(connection, identify(connection, key, ""))

        self.cookies.set(COOKIE, self.ledger.database.write(work))

    def ask(self, method: str, place: str, content: str = "", **headers: str) -> httpx.Response:
        """Send a request as a browser does; redirects are not followed.

        Args:
            method: The method.
            place: Path and query.
            content: The body.
            headers: More headers, with underscores for hyphens.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url=ADDRESS, cookies=self.cookies
            ) as client:
                answer = await client.request(
                    method, place, content=content, headers=PERSON | named
                )
                self.cookies.update(client.cookies)
                return answer

        return asyncio.run(send())

    def get(self, place: str) -> httpx.Response:
        """Ask for a page."""
        return self.ask("GET", place)

    def page(self, place: str) -> Page:
        """Return a page that has to be there."""
        answer = self.get(place)
        assert answer.status_code == 200, answer.text
        return read_page(answer.text)

    def file(self, kind: FileKind, name: str, **summary: Any) -> str:
        """Register a file."""
        told = {"fingerprint": f"print of {name}", "inputs": 2, "outputs": 2, **summary}
        record = FileRecord(kind, sha256(name), 1234, name, told)
        self.ledger.database.write(lambda c: register(c, self.ledger.tenant, record))
        return record.sha256

    def job(self, state: State = State.QUEUED, **more: Any) -> str:
        """Submit a proof and set how it stands.

        Args:
            state: Its state.
            more: Other columns of it.
        """
        job_id = self.ledger.prove()
        self.alter(job_id, state=state, **more)
        return job_id

    def alter(self, job_id: str, **columns: Any) -> None:
        """Set columns of a job."""
        query = update(jobs).where(jobs.c.id == job_id).values(**columns)
        self.ledger.database.write(lambda c: c.execute(query))


def make_site(folder: Path) -> Site:
    """Return the pages of a server, whose database may lie in its folder already."""
    settings = Settings(folder)
    server = make_server(settings, UNCONFINED)
    return Site(make_app(server, None, "0"), Ledger(server.database))


@dataclass(frozen=True)
class Page:
    """A page, read.

    Attributes:
        source: As it came.
        words: What it says, without spaces that do not count.
        tags: Its elements: name and attributes.
    """

    source: str
    words: str
    tags: Sequence[tuple[str, dict[str, str]]]

    def all(self, name: str, /, **attributes: str) -> list[dict[str, str]]:
        """Return the attributes of all elements of a name that have some attributes."""
        wanted = {key.replace("_", "-").strip("-"): value for key, value in attributes.items()}
        return [
            has
            for tag, has in self.tags
            if tag == name and all(has.get(key) == value for key, value in wanted.items())
        ]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read_page(source: str) -> Page:
    """Read a page."""
    reader = _Reader()
    reader.feed(source)
    reader.close()
    return Page(source, re.sub(r"\s+", " ", "".join(reader.texts)), reader.tags)
