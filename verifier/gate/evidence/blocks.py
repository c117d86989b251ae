# SPDX-License-Identifier: Apache-2.0
"""What a report is made of, whatever it is written to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: What stands in it.
        tone: The verdict or judgement that colours it; empty for none.
        is_code: Whether it is for machines: a hash, a path.
    """

    text: str
    tone: str = ""
    is_code: bool = False


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    is_aside: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list of points."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Lines for a terminal."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Names and what they stand for."""

    rows: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True)
class Table:
    """A table with a head.

    Attributes:
        title: What is in it, for who cannot see it.
        head: Names of the columns.
        widths: Their widths, relative to each other.
        rows: The cells.
    """

    title: str
    head: tuple[str, ...]
    widths: tuple[float, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Figure:
    """The figure.

    Attributes:
        svg: As an SVG element whose colours are variables of the page.
        png: As an image on white.
        width: Of the image, relative to its height.
        text: What it shows, for who cannot see it.
    """

    svg: str
    png: bytes
    width: float
    text: str


Block = Text | Heading | Items | Code | Facts | Table | Figure


@dataclass(frozen=True)
class Section:
    """A part of the report with a heading of its own.

    Attributes:
        id: Anchor of its heading.
        title: Its heading.
        blocks: What it says.
    """

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: What it is.
        subtitle: Of what, and when.
        result: PASSED, WARNED or FAILED.
        sentence: What that means here.
        tallies: Pairs of a judgement and how many checks have it.
        sections: The rest; the first is the summary.
    """

    title: str
    subtitle: str
    result: str
    sentence: str
    tallies: tuple[tuple[str, int], ...]
    sections: tuple[Section, ...]
