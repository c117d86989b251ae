# SPDX-License-Identifier: Apache-2.0
"""A batch as a matrix: a row for each network and variant, a column for each property.

Rows stand in the order of the request, each original before its variants, whatever order the jobs
were made or finished in.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from api.database.tables import jobs
from api.jobs.states import State
from api.web.labels import find_labels, recipe
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from api.schemas import JobDetail
    from api.web.labels import Labels

JobRow = Row[*tuple[Any, ...]]

MOST_JOBS = 10_000

VERDICTS = tuple(str(verdict) for verdict in Verdict)


@dataclass(frozen=True)
class Cell:
    """One job of a batch.

    Attributes:
        job_id: The job.
        status: Its verdict if there is one, otherwise its state.
        seconds: How long the verification took, without starting programs.
        reuse_rate: Share of the original's cores that were valid as they were.
    """

    job_id: str
    status: str
    seconds: float | None
    reuse_rate: float | None


@dataclass(frozen=True)
class Line:
    """A network.

    Attributes:
        name: What it is called.
        is_original: Whether it is an original, or a variant of the one above.
        original: SHA-256 of its original, or its own.
        model: SHA-256, where it is known already.
        maker: The job that makes it, and how that stands, for those that are made.
        cells: A cell for each property.
    """

    name: str
    is_original: bool
    original: str
    model: str | None
    maker: Cell | None
    cells: Sequence[Cell | None]


@dataclass(frozen=True)
class Column:
    """A property."""

    sha256: str
    name: str


@dataclass(frozen=True)
class Matrix:
    """A batch.

    Attributes:
        columns: The properties.
        lines: The networks.
        counts: How many verifications there are of each verdict or state.
        is_cut: Whether it has more jobs than are shown.
    """

    columns: Sequence[Column]
    lines: Sequence[Line]
    counts: Mapping[str, int]
    is_cut: bool


@dataclass
class _Network:
    """What is known of one line while the jobs are read."""

    original: str
    request: Mapping[str, Any]
    model: str | None = None
    cells: dict[str, Cell] = field(default_factory=dict)


def find_matrix(connection: Connection, tenant: str, batch: JobDetail) -> Matrix:
    """Return a batch as a matrix."""
    query = (
        select(
            *(jobs.c[name] for name in ("id", "kind", "state", "request", "model")),
            *(jobs.c[name] for name in ("property", "verdict")),
            jobs.c.result["seconds"].as_float().label("seconds"),
            jobs.c.result["reuse"]["proof_reuse_rate"].as_float().label("reuse_rate"),
        )
        .where(jobs.c.tenant == tenant, jobs.c.parent_id == batch.id)
        .order_by(jobs.c.id)
        .limit(MOST_JOBS + 1)
    )
    rows: Sequence[JobRow] = connection.execute(query).all()
    shown = rows[:MOST_JOBS]
    requests = [row.request for row in shown]
    labels = find_labels(connection, tenant, [batch.request, *requests])
    return _arranged(batch, shown, labels, is_cut=len(rows) > MOST_JOBS)


def _arranged(batch: JobDetail, rows: Sequence[JobRow], labels: Labels, *, is_cut: bool) -> Matrix:
    networks: dict[tuple[str, str], _Network] = {}
    makers: dict[str, Cell] = {}
    for row in rows:
        if row.kind == "compress":
            makers[row.id] = _cell(row)
            continue
        original = row.request.get("original") or row.request["model"]
        variant = row.request.get("model_of") or row.request["model"]
        key = (original, "" if row.kind == "prove" else variant)
        network = networks.setdefault(key, _Network(original, row.request))
        network.model = network.model or row.model
        network.cells[row.property] = _cell(row)
    order = _order(batch.request, rows)
    columns = [
        Column(sha256, labels.property(sha256)) for sha256 in batch.request.get("properties", ())
    ]
    lines = [
        _line(key, networks[key], columns, labels, makers)
        for key in sorted(networks, key=lambda key: (order.get(key, len(order)), key))
    ]
    cells = (cell for line in lines for cell in line.cells if cell is not None)
    return Matrix(columns, lines, Counter(cell.status for cell in cells), is_cut)


def _line(
    key: tuple[str, str],
    network: _Network,
    columns: Sequence[Column],
    labels: Labels,
    makers: Mapping[str, Cell],
) -> Line:
    is_original = key[1] == ""
    name = labels.model(network.original) if is_original else labels.variant(network.request)
    return Line(
        name=name,
        is_original=is_original,
        original=network.original,
        model=network.model,
        maker=makers.get(key[1]),
        cells=[network.cells.get(column.sha256) for column in columns],
    )


def _order(request: Mapping[str, Any], rows: Iterable[JobRow]) -> dict[tuple[str, str], int]:
    """Return where each line belongs, as the request names its networks."""
    made: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.kind == "compress":
            made.setdefault((row.request["model"], recipe(row.request)), []).append(row.id)
    keys: list[tuple[str, str]] = []
    for network in request.get("networks", ()):
        original = network["original"]
        keys.append((original, ""))
        keys += [(original, variant) for variant in network["variants"]]
        for compression in network["compressions"]:
            same = made.get((original, recipe(compression)), [])
            keys += [(original, same.pop(0))] if same else []
    order: dict[tuple[str, str], int] = {}
    for key in keys:
        order.setdefault(key, len(order))
    return order


def _cell(row: JobRow) -> Cell:
    known = row.verdict if row.verdict in VERDICTS else str(State(row.state))
    return Cell(row.id, known, row.seconds, row.reuse_rate)
