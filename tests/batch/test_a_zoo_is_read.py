# SPDX-License-Identifier: Apache-2.0
"""A manifest means what its text says, and what is wrong with it is said with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from verifier.batch.question import Step
from verifier.batch.zoo import read_zoo
from verifier.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
timeout_seconds = 10
networks = ["onnx/*.onnx"]
properties = ["one.vnnlib", "[a-z]*.vnnlib"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "onnx").mkdir()
    for name in ("onnx/b.onnx", "onnx/a.onnx", "one.vnnlib", "two.vnnlib", "onnx/c.txt"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder: Path, text: str) -> Path:
    place = folder / "zoo.toml"
    place.write_text(text, encoding="utf-8")
    return place


def test_patterns_name_files_once_and_in_order(folder: Path) -> None:
    zoo = read_zoo(write(folder, HEAD))

    assert zoo.networks == ("onnx/a.onnx", "onnx/b.onnx")
    assert zoo.properties == ("one.vnnlib", "two.vnnlib")
    assert (zoo.variants, zoo.timeout_seconds, zoo.folder) == ((), 10.0, folder)


def test_lists_stand_for_each_of_their_values(folder: Path) -> None:
    text = """[[compressions]]
    method = "integer_quantisation"
    options = { bits = [16, 8], granularity = ["tensor", "channel"] }"""

    zoo = read_zoo(write(folder, HEAD + text))

    assert zoo.variants == tuple(
        (Step("integer_quantisation", (f"bits={bits}", f"granularity={flag}")),)
        for bits in (16, 8)
        for flag in ("tensor", "channel")
    )


def test_each_step_of_a_chain_is_a_variant_of_its_own(folder: Path) -> None:
    text = """
    [[compressions]]
    steps = [
        { method = "integer_quantisation", options = { bits = 8 } },
        { method = "magnitude_pruning", options = { sparsity = [0.05, 0.1] } },
    ]
    [[compressions]]
    method = "integer_quantisation"
    options.bits = 8
    """
    eight = Step("integer_quantisation", ("bits=8",))
    pruned = [Step("magnitude_pruning", (f"sparsity={s}",)) for s in (0.05, 0.1)]

    assert read_zoo(write(folder, HEAD + text)).variants == (
        (eight,),
        (eight, pruned[0]),
        (eight, pruned[1]),
    )


def test_a_step_is_a_variant_also_where_it_stands_in_chains_alone(folder: Path) -> None:
    step = '{ method = "integer_quantisation", options = { bits = 8 } }'
    text = f"[[compressions]]\nsteps = [{step}, {step}]"
    eight = Step("integer_quantisation", ("bits=8",))

    assert read_zoo(write(folder, HEAD + text)).variants == ((eight,), (eight, eight))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "networks: give a list of file names"),
        ("networks = 3", "networks: give a list"),
        ('networks = ["none/*"]', "'none/*' matches no file in"),
        ("networks = []", "networks: the list is empty"),
        ('networks = ["/etc/*"]', "networks: '/etc/*': give a name relative to the manifest"),
        ('networks = [""]', "networks: '': "),
        ("network = []", "'network' is not known; known: compressions, frontier, networks"),
        ("[", "cannot be read: "),
        (HEAD.replace("10", "0"), "timeout_seconds: 0 is not a positive number"),
        (HEAD.replace("10", "true"), "timeout_seconds: True is not"),
        (HEAD.replace("10", "inf"), "timeout_seconds: inf is not"),
        (HEAD.replace("timeout_seconds = 10", ""), "timeout_seconds: is missing"),
        (HEAD + "compressions = 3", "compressions: write [[compressions]] for each"),
        (
            HEAD + "[[compressions]]\nmethod = 'magic'",
            "compression 1: there is no compression method",
        ),
        (HEAD + "[[compressions]]\nmetod = 'magic'", "compression 1: 'metod' is not known"),
        (HEAD + "[frontier]", "frontier: write [[frontier]] for each"),
        (HEAD + "[[frontier]]\n" * 3, "frontier: 3 axes; there may be 2"),
        (HEAD + "[[frontier]]\nsteps = []", "frontier 1: 'steps' is not known"),
        (HEAD + "[[compressions]]\nsteps = []", "compression 1: steps is a list"),
        (HEAD + "[[compressions]]\nsteps = [{}]", "compression 1, step 1: give method"),
        (
            HEAD + "[[compressions]]\nmethod = 'integer_quantisation'\noptions.bits = 99",
            "compression 1: ",
        ),
        (
            HEAD
            + "[[compressions]]\nmethod = 'integer_quantisation'\noptions.bits = ["
            + "8," * 10_001
            + "]",
            "compression 1: more than 10000 variants",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, message: str, folder: Path) -> None:
    with pytest.raises(UsageError) as found:
        read_zoo(write(folder, text))

    assert str(found.value).startswith(f"{folder / 'zoo.toml'}: ")
    assert message in str(found.value)
