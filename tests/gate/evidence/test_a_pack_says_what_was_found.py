# SPDX-License-Identifier: Apache-2.0
"""The report has all of it in two forms, needs nothing else, and files lie where it says."""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from pypdf import PdfReader

from tests.gate.evidence.packs import Pack, checked, new_key, unknown
from verifier.batch.question import Question, Subject
from verifier.errors import RefusedError, UsageError
from verifier.gate.evidence.index import INDEX
from verifier.gate.evidence.writer import check_new, write_pack
from verifier.gate.judgement import Judgement

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.gate.check import Report

VOID = {"meta", "col", "br", "link", "img", "input", "hr"}


class Document(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.needed: list[str] = []
        self.words: list[str] = []
        self.tags: Counter[str] = Counter()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.open += [] if tag in VOID else [tag]
        for name, value in attrs:
            if name == "id":
                self.ids[value or ""] += 1
            if name.split(":")[-1] in {"src", "href", "action", "data", "poster", "srcset"}:
                self.needed.append(value or "")
            self.needed += re.findall(r"url\(([^)]*)\)", value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.needed += re.findall(r"url\(([^)]*)\)|@import\s+(\S+)", data)
        elif self.open and "svg" not in self.open:
            self.words += data.split()


def page_of(pack: Pack) -> Document:
    return Document((pack.folder / "report.html").read_text(encoding="utf-8"))


def pdf_words(pack: Pack) -> str:
    """Return the text without spaces: lines and words are broken where there is no room."""
    reader = PdfReader(io.BytesIO((pack.folder / "report.pdf").read_bytes()))
    return "".join("".join(page.extract_text().split()) for page in reader.pages)


def test_the_page_needs_nothing_from_outside(pack: Pack) -> None:
    page = page_of(pack)

    assert page.open == []
    assert page.needed
    assert all(place.startswith("#") and page.ids[place[1:]] == 1 for place in page.needed)
    assert not {"script", "iframe", "object", "embed", "link", "img"} & set(page.tags)


def test_no_two_parts_of_the_page_have_one_name(pack: Pack) -> None:
    assert set(page_of(pack).ids.values()) == {1}


def test_the_page_can_be_read_by_machines_that_read_aloud(pack: Pack) -> None:
    text = (pack.folder / "report.html").read_text(encoding="utf-8")

    page = page_of(pack)
    assert '<html lang="en">' in text
    assert page.tags["h1"] == page.tags["main"] == 1
    assert page.tags["table"] == text.count('role="region" aria-label=')
    assert page.tags["th"] == text.count('scope="col"')
    assert re.search(r'role="img" aria-label="Time of each check, by verdict: 2 holds', text)


def test_the_figure_takes_its_colours_from_the_page(pack: Pack) -> None:
    text = (pack.folder / "report.html").read_text(encoding="utf-8")
    figure = text[text.index("<svg") : text.index("</svg>")]

    assert {"var(--holds)", "var(--ink)", "var(--kept)"} <= set(re.findall(r"var\([^)]*\)", figure))
    assert re.findall(r"#[0-9a-f]{6}", figure) == []


def test_the_pdf_says_all_that_the_page_says(pack: Pack) -> None:
    page, pdf = page_of(pack), pdf_words(pack)

    contents = page.words[page.words.index("FAILED") :]
    missing = [word for word in contents if word not in pdf]
    assert len(contents) > 1000
    assert missing == []
    assert "\N{REPLACEMENT CHARACTER}" not in pdf


def test_the_pdf_has_a_title_and_brings_its_fonts(pack: Pack) -> None:
    content = (pack.folder / "report.pdf").read_bytes()
    reader = PdfReader(io.BytesIO(content))

    assert reader.metadata is not None
    assert str(reader.metadata.title).startswith("Verification evidence: mucg4.toml")
    assert {f"DejaVuSans{kind}".encode() for kind in ("", "-Bold", "Mono")} <= set(
        re.findall(rb"/FontName /[A-Z]{6}\+(\S+)", content)
    )
    assert content.count(b"/FontFile2") == 3


@pytest.mark.parametrize("form", ["report.html", "report.pdf"])
def test_each_form_has_every_hash_and_every_verdict(pack: Pack, form: str) -> None:
    text = "".join(page_of(pack).words) if form == "report.html" else pdf_words(pack)

    for check in pack.report.checks:
        assert check.sha256("model.onnx") in text
        assert check.sha256("property.vnnlib") in text
        assert f"{check.verdict}{check.judgement}" in text
    assert pack.key.public.id in text
    assert "certificatesof4of4verdicts" in text
    for word in ("EASA", "DO-333", "DO-330", "ISO/PAS8800", "Article15", "VNN-LIB"):
        assert word in text


def test_the_files_are_the_bytes_that_were_verified(pack: Pack) -> None:
    for check, files in zip(pack.report.checks, pack.record["files"], strict=True):
        named = {"network": "model.onnx", "property": "property.vnnlib"}
        for kind, name in named.items():
            assert (pack.folder / files[kind]).read_bytes() == check.inputs[name]
        assert (pack.folder / files["certificate"]).read_bytes() == check.certificate


def test_the_index_lists_every_file_but_itself_and_the_statement(pack: Pack) -> None:
    entries = {each["path"]: each for each in pack.read(INDEX)["files"]}

    assert {*entries, INDEX, "statement.intoto.jsonl"} == set(pack.files)
    for path, entry in entries.items():
        content = (pack.folder / path).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["size"] == len(content)


def test_the_log_has_the_checkers_words(pack: Pack) -> None:
    log = (pack.folder / "checker.log").read_text(encoding="utf-8")

    assert log.count("accepted") == 4
    assert log.count("claimed: violated") == 2


NAMES = ["../../up/network.onnx", "/abs/x.onnx", "a\nb\x1b[31m.onnx", "<b>&amp;'.onnx", "é" * 300]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out_of_the_pack_or_breaks_a_report(
    report: Report, tmp_path: Path, name: str
) -> None:
    question = Question(Subject(name), f"../{name}", 60.0)
    check = replace(report.checks[0], question=question)
    (tmp_path / "new").mkdir()

    pack = Pack.write(tmp_path / "new" / "pack", replace(report, checks=(check,)))

    assert pack.audited().problems == ()
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"pack", "empty"}
    assert all(re.fullmatch(r"[A-Za-z0-9._/-]+", path) for path in pack.files)
    assert page_of(pack).open == []
    assert pdf_words(pack)


def test_a_property_that_cannot_be_read_is_told(report: Report, tmp_path: Path) -> None:
    (tmp_path / "network.onnx").write_bytes(report.checks[0].inputs["model.onnx"])
    (tmp_path / "bad.vnnlib").write_text("(assert <b>)", encoding="utf-8")
    manifest = tmp_path / "gate.toml"
    manifest.write_text(
        'timeout_seconds = 9\n[[networks]]\noriginal = "network.onnx"\nproperties = ["bad.vnnlib"]',
        encoding="utf-8",
    )

    pack = Pack.write(tmp_path / "pack", checked(manifest, tmp_path / "cache"))

    assert pack.audited().problems == ()
    assert pack.audited().result == "FAILED"
    assert "It cannot be read: properties/P1-bad.vnnlib:" in " ".join(page_of(pack).words)


def test_the_same_bytes_under_one_name_are_packed_once(pack: Pack) -> None:
    assert len([path for path in pack.files if path.startswith("networks/")]) == 2
    assert len([path for path in pack.files if path.startswith("properties/")]) == 2


def test_checks_without_a_verdict_are_in_the_report(report: Report, tmp_path: Path) -> None:
    checks = tuple(unknown(check, Judgement.INCONCLUSIVE) for check in report.checks)
    pack = Pack.write(tmp_path / "pack", replace(report, checks=checks))

    words = " ".join(page_of(pack).words)
    assert "4 checks: neither a proof nor a counterexample was found in time." in words
    assert "No check has a verdict, so there is none." in words
    assert "no time is left" in words


def test_a_pack_without_any_network_is_refused(report: Report, tmp_path: Path) -> None:
    checks = tuple(replace(check, inputs={}) for check in report.checks)

    with pytest.raises(RefusedError, match="no network could be read"):
        write_pack(replace(report, checks=checks), tmp_path / "pack", new_key())
    assert list(tmp_path.iterdir()) == []


def test_a_pack_that_cannot_be_finished_is_not_there(report: Report, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "mine").write_bytes(b"mine")

    with pytest.raises(UsageError, match="cannot be written"):
        Pack.write(tmp_path / "pack", report)
    assert [path.name for path in tmp_path.iterdir()] == ["pack"]
    assert (tmp_path / "pack" / "mine").read_bytes() == b"mine"


def test_a_pack_goes_to_a_new_or_an_empty_folder(report: Report, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    check_new(tmp_path / "empty")
    Pack.write(tmp_path / "empty", report)

    for path in (tmp_path / "empty", tmp_path / "file", tmp_path / "none" / "pack"):
        with pytest.raises(UsageError, match=re.escape(str(path))):
            check_new(path)
