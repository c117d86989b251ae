# SPDX-License-Identifier: Apache-2.0
"""Tables of instances are read in both forms, and nothing in them is evaluated."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from verifier.errors import UsageError
from verifier.spec.instances import read_instances

if TYPE_CHECKING:
    from pathlib import Path


def test_both_forms_of_rows_are_read(tmp_path: Path) -> None:
    table = tmp_path / "instances.csv"
    table.write_text(
        "onnx/a.onnx,vnnlib/p.vnnlib,116\r\n\r\n"
        "\"[('f', 'onnx/a, b.onnx'), (\"\"g\"\", 'onnx/c.onnx'),]\", q.vnnlib ,1.5e2\n",
        encoding="utf-8",
    )

    one, two = read_instances(table)

    assert one.networks == (("", tmp_path / "onnx/a.onnx"),)
    assert (one.query, one.timeout_seconds, one.line) == (tmp_path / "vnnlib/p.vnnlib", 116.0, 1)
    assert two.networks == (("f", tmp_path / "onnx/a, b.onnx"), ("g", tmp_path / "onnx/c.onnx"))
    assert (two.query, two.timeout_seconds, two.line) == (tmp_path / "q.vnnlib", 150.0, 3)


def test_a_compressed_file_counts_before_a_loose_one(tmp_path: Path) -> None:
    for name in ("a.onnx", "a.onnx.gz", "p.vnnlib.gz", "b.onnx"):
        (tmp_path / name).touch()
    table = tmp_path / "instances.csv"
    table.write_text("a.onnx,p.vnnlib,1\nb.onnx,p.vnnlib.gz,1\n", encoding="utf-8")

    first, second = read_instances(table)

    assert (first.networks[0][1].name, first.query.name) == ("a.onnx.gz", "p.vnnlib.gz")
    assert (second.networks[0][1].name, second.query.name) == ("b.onnx", "p.vnnlib.gz")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.onnx,p.vnnlib", "2 columns"),
        ("a.onnx,p.vnnlib,soon", "'soon' is not a positive number of seconds"),
        ("a.onnx,p.vnnlib,inf", "not a positive number"),
        ("a.onnx,p.vnnlib,-1", "not a positive number"),
        ("../a.onnx,p.vnnlib,1", "is no file within"),
        ("/etc/passwd,p.vnnlib,1", "is no file within"),
        (",p.vnnlib,1", "is no file within"),
        ("\"[('f', 'a'), ('f', 'b')]\",p,1", "each has a name of its own"),
        ("\"[('', 'a')]\",p,1", "each has a name of its own"),
        ("[],p,1", "is not a list of"),
        ("\"[('f', 'a') ('g', 'b')]\",p,1", "is not a list of"),
        ("\"[('f', 'a')\",p,1", "is not a list of"),
        ("\"[('f', open('a'))]\",p,1", "is not a list of"),
        ("\"[__import__('os')]\",p,1", "is not a list of"),
        ('a"b,"p"x,1', "expected"),
    ],
)
def test_a_malformed_row_is_refused_with_its_line(row: str, message: str, tmp_path: Path) -> None:
    table = tmp_path / "instances.csv"
    table.write_text(f"a.onnx,p.vnnlib,1\n{row}\n", encoding="utf-8")

    with pytest.raises(UsageError, match=message) as raised:
        read_instances(table)

    assert str(raised.value).startswith(f"{table}:2: ")


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe")

    for name in ("missing.csv", "binary.csv"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_instances(tmp_path / name)


def test_every_published_table_is_read(data: Path) -> None:
    tables = sorted(data.glob("*/instances.csv"))
    assert len(tables) > 15
    for table in tables:
        with table.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if row]

        instances = read_instances(table)

        assert len(instances) == len(rows)
        for instance in instances:
            assert instance.query.is_file()
            assert all(path.is_file() for _, path in instance.networks)
