# SPDX-License-Identifier: Apache-2.0
"""A report as a PDF, for archives and printers: the same blocks as the page."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from verifier.gate.evidence.blocks import Code, Facts, Figure, Heading, Items, Table, Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verifier.gate.evidence.blocks import Block, Cell, Page, Section

_SANS, _BOLD, _MONO = "DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono"
_INK, _MUTED, _LINE, _PALE = "#1b2430", "#5c6672", "#dde2e8", "#f4f6fa"
_GOOD, _BAD = ("#0b6647", "#e0f2ea"), ("#b3261e", "#fde8e6")
_OPEN, _ERROR = ("#7a5200", "#fdf1d8"), ("#5c6672", "#e9ecf1")
_TONES = {
    **dict.fromkeys(("PASSED", "passed", "holds", "accepted"), _GOOD),
    **dict.fromkeys(("FAILED", "failed", "crashed", "violated", "rejected"), _BAD),
    **dict.fromkeys(("WARNED", "allowed", "inconclusive", "unknown", "timeout", "missing"), _OPEN),
    "error": _ERROR,
}
_SPACES = "\n\N{NO-BREAK SPACE}"
_LONGEST = 2500
_MARGIN, _PADDING = 46.0, 6.0  # Points; a frame pads what is in it.
_WIDTH = 595.28 - 2 * (_MARGIN + _PADDING)  # Of the text on A4.


def pdf_of(page: Page) -> bytes:
    """Return the document."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import PageBreak, SimpleDocTemplate

    _register_fonts()
    target = io.BytesIO()
    document = SimpleDocTemplate(
        target,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title=f"{page.title}: {page.subtitle}",
        author="mucg4",
        lang="en",
        invariant=1,
    )
    story = [*_head(page)]
    for number, section in enumerate(page.sections):
        story += [PageBreak()] if number == 1 else []
        story += _section(section)

    def foot(canvas: Any, template: Any) -> None:
        canvas.setFont(_SANS, 7.5)
        canvas.setFillColor(_MUTED)
        canvas.drawString(_MARGIN + _PADDING, 28, f"{page.title}: {page.subtitle}")
        canvas.drawRightString(_MARGIN + _PADDING + _WIDTH, 28, f"page {template.page}")

    document.build(story, onFirstPage=foot, onLaterPages=foot)
    return target.getvalue()


@cache
def _register_fonts() -> None:
    """Make matplotlib's fonts known: those that every PDF has lack ≤ and ≈."""
    from matplotlib import get_data_path
    from reportlab.pdfbase.pdfmetrics import registerFont
    from reportlab.pdfbase.ttfonts import TTFont

    for name in (_SANS, _BOLD, _MONO):
        registerFont(TTFont(name, str(Path(get_data_path(), "fonts", "ttf", f"{name}.ttf"))))


def _paragraph(text: str, size: float = 9, **style: Any) -> Any:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    # Signs that steer terminals are told from spaces, of which one keeps a line together.
    printable = "".join(sign if sign.isprintable() or sign in _SPACES else "�" for sign in text)
    settings = {"fontName": _SANS, "textColor": _INK, "spaceAfter": 5, **style}
    own = ParagraphStyle("own", fontSize=size, leading=1.42 * size, splitLongWords=1, **settings)
    return Paragraph(escape(printable).replace("\n", "<br/>"), own)


def _head(page: Page) -> Iterator[Any]:
    from reportlab.platypus import Spacer

    ink, fill = _TONES[page.result]
    yield _paragraph(page.title, 20, fontName=_BOLD)
    yield _paragraph(page.subtitle, 9.5, textColor=_MUTED)
    yield Spacer(1, 6)
    tallies = " · ".join(f"{count} {word}" for word, count in page.tallies)
    said = [_paragraph(page.sentence, 9.5), _paragraph(tallies, 9.5, fontName=_BOLD, textColor=ink)]
    name = _paragraph(page.result, 15, fontName=_BOLD, textColor=ink)
    # Boxes keep 5 points at their bottom, as paragraphs do.
    commands = [
        ("BACKGROUND", (0, 0), (-1, -1), fill),
        ("LINEBEFORE", (0, 0), (0, -1), 5, ink),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LEFTPADDING", (0, 0), (-1, -1), 12),
        ("TOPPADDING", (0, 0), (-1, -1), 9),
    ]
    yield _grid([[name, said]], [0.24, 0.76], commands)
    yield Spacer(1, 8)


def _section(section: Section) -> Iterator[Any]:
    from reportlab.platypus import CondPageBreak, Spacer

    yield CondPageBreak(90)
    yield Spacer(1, 7)
    yield _paragraph(section.title, 13, fontName=_BOLD, spaceAfter=6)
    for block in section.blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[Any]:
    from reportlab.platypus import CondPageBreak, Image, Spacer

    match block:
        case Text():
            yield _paragraph(block.text, textColor=_MUTED if block.is_aside else _INK)
        case Heading():
            yield CondPageBreak(70)
            yield _paragraph(block.text, 9.5, fontName=_BOLD, spaceBefore=5)
        case Items():
            for text in block.texts:
                yield _point(text)
        case Code():
            pad = {"backColor": _PALE, "borderPadding": 5, "spaceBefore": 4, "spaceAfter": 11}
            yield _paragraph(block.text, 8, fontName=_MONO, **pad)
        case Facts():
            yield _facts(block)
            yield Spacer(1, 6)
        case Table():
            yield _table(block)
            yield Spacer(1, 8)
        case Figure():
            yield Image(io.BytesIO(block.png), width=_WIDTH, height=_WIDTH / block.width)


def _point(text: str) -> Any:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    style = ParagraphStyle(
        "point",
        fontName=_SANS,
        fontSize=9,
        leading=12.8,
        textColor=_INK,
        leftIndent=13,
        bulletIndent=2,
        spaceAfter=3,
        bulletFontName=_SANS,
    )
    return Paragraph(escape(text), style, bulletText="•")


def _facts(facts: Facts) -> Any:
    rows = [
        [_paragraph(name, 8.5, textColor=_MUTED, spaceAfter=2), *_pieces(cell)]
        for name, cell in facts.rows
    ]
    longest = max((len(name) for name, _ in facts.rows), default=0)
    share = min(max(0.013 * longest, 0.06), 0.24)
    commands = [("LEFTPADDING", (0, 0), (0, -1), 0)]
    return _grid(rows, [share, 1 - share], commands)


def _pieces(cell: Cell) -> Iterator[Any]:
    """Yield a cell's paragraphs as one entry of a row; a long text is cut, as a row cannot be."""
    text = cell.text if len(cell.text) <= _LONGEST else f"{cell.text[:_LONGEST]} … (cut)"
    ink = _TONES[cell.tone][0] if cell.tone else _INK
    if cell.is_code:
        yield _paragraph(text, 7, fontName=_MONO, textColor=ink, spaceAfter=0)
    else:
        font = _BOLD if cell.tone else _SANS
        yield _paragraph(text, 7.8, fontName=font, textColor=ink, spaceAfter=0)


def _table(table: Table) -> Any:
    head = [
        _paragraph(name, 7.5, fontName=_BOLD, textColor=_MUTED, spaceAfter=0) for name in table.head
    ]
    rows = [[piece for cell in row for piece in _pieces(cell)] for row in table.rows]
    commands: list[tuple[Any, ...]] = [
        ("LINEBELOW", (0, 0), (-1, 0), 1, _LINE),
        ("LINEBELOW", (0, 1), (-1, -1), 0.5, _LINE),
        ("LEFTPADDING", (0, 0), (-1, -1), 4),
        ("RIGHTPADDING", (0, 0), (-1, -1), 4),
    ]
    for y, row in enumerate(table.rows, start=1):
        for x, cell in enumerate(row):
            if cell.tone:
                commands.append(("BACKGROUND", (x, y), (x, y), _TONES[cell.tone][1]))
    whole = sum(table.widths)
    return _grid([head, *rows], [width / whole for width in table.widths], commands, heads=1)


def _grid(rows: Any, widths: Any, commands: Any, heads: int = 0) -> Any:
    from reportlab.platypus import LongTable

    common = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("BOTTOMPADDING", (0, 0), (-1, -1), 4)]
    columns = [width * _WIDTH for width in widths]
    return LongTable(rows, columns, repeatRows=heads, style=[*common, *commands])
