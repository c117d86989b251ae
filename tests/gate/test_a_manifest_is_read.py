# SPDX-License-Identifier: Apache-2.0
"""A manifest means what its text says, and what is wrong with it is said with its place."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from verifier.batch.question import Given, Step
from verifier.errors import UsageError
from verifier.gate.judgement import Policy
from verifier.gate.manifest import read_manifest
from verifier.verdict import Semantics

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 'timeout_seconds = 10\nunknown = "allow"\n'
NETWORK = '[[networks]]\noriginal = "onnx/a.onnx"\nproperties = ["*.vnnlib"]\n'
OTHER = NETWORK.replace("a.onnx", "b.onnx")
WHOLE = HEAD + NETWORK


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("onnx", "made/one", "made/two"):
        (tmp_path / name).mkdir(parents=True)
    for name in (
        "onnx/a.onnx",
        "onnx/b.onnx",
        "one.vnnlib",
        "two.vnnlib",
        "made/one/model.onnx",
        "made/one/neuron_map.json",
        "made/two/model.onnx",
        "map.json",
    ):
        (tmp_path / name).touch()
    return tmp_path


def write(folder: Path, text: str) -> Path:
    place = folder / "mucg4.toml"
    place.write_text(text, encoding="utf-8")
    return place


def test_what_stands_above_goes_for_all_networks_unless_one_says_otherwise(folder: Path) -> None:
    place = write(folder, WHOLE + OTHER + 'timeout_seconds = 3\nunknown = "fail"\n')

    manifest = read_manifest(place)

    assert (manifest.path, manifest.content) == (place, place.read_bytes())
    assert manifest.semantics is Semantics.REAL
    first, second = manifest.entries
    assert (first.zoo.networks, second.zoo.networks) == (("onnx/a.onnx",), ("onnx/b.onnx",))
    assert first.zoo.properties == ("one.vnnlib", "two.vnnlib")
    assert (first.zoo.timeout_seconds, second.zoo.timeout_seconds) == (10.0, 3.0)
    assert (first.policy, second.policy) == (Policy.ALLOW, Policy.FAIL)


def test_what_is_not_known_is_inconclusive_where_a_manifest_does_not_say(folder: Path) -> None:
    (entry,) = read_manifest(write(folder, "timeout_seconds = 1\n" + NETWORK)).entries

    assert entry.policy is Policy.INCONCLUSIVE


def test_a_variant_that_is_a_file_has_the_map_that_lies_beside_it(folder: Path) -> None:
    text = 'variants = ["made/*/model.onnx", { model = "onnx/b.onnx", neuron_map = "map.json" }]\n'
    compression = "[[networks.compressions]]\nmethod = 'integer_quantisation'\noptions.bits = 8\n"

    manifest = read_manifest(write(folder, WHOLE + text + compression))

    assert manifest.entries[0].zoo.variants == (
        (Given("made/one/model.onnx", "made/one/neuron_map.json"),),
        (Given("made/two/model.onnx", ""),),
        (Given("onnx/b.onnx", "map.json"),),
        (Step("integer_quantisation", ("bits=8",)),),
    )
    assert {str(path.relative_to(folder)) for path in manifest.files} == {
        "mucg4.toml",
        "onnx/a.onnx",
        "one.vnnlib",
        "two.vnnlib",
        "made/one/model.onnx",
        "made/one/neuron_map.json",
        "made/two/model.onnx",
        "onnx/b.onnx",
        "map.json",
    }


@pytest.mark.parametrize("text", [WHOLE, WHOLE + 'variants = ["made/*/*.vnnlib"]'])
def test_a_link_to_what_is_not_there_takes_no_check_away(text: str, folder: Path) -> None:
    place = "made/one" if "variants" in text else "."
    (folder / place / "three.vnnlib").symlink_to("not-fetched")

    with pytest.raises(UsageError, match=r"three\.vnnlib is no file, or a link to one that is not"):
        read_manifest(write(folder, text))


def test_the_content_that_is_told_is_what_was_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write(folder, WHOLE)
    loads = tomllib.loads

    def edited(text: str) -> dict[str, Any]:
        place.write_text("", encoding="utf-8")
        return loads(text)

    monkeypatch.setattr(tomllib, "loads", edited)

    assert read_manifest(place).content == WHOLE.encode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "cannot be read: "),
        (f"timeout_seconds = 1{'0' * 5000}", "cannot be read: "),
        ("", "networks: write [[networks]] for at least one"),
        ("networks = 3", "networks: write [[networks]] for each"),
        ("network = []", "'network' is not known; known: networks, semantics, timeout_seconds"),
        (WHOLE + NETWORK, "networks: onnx/a.onnx is there 2 times; write its parts together"),
        ('semantics = "float32"\n' + WHOLE, "semantics: 'float32' is not one of: real"),
        ("semantics = []\n" + WHOLE, "semantics: [] is not one of: real"),
        (NETWORK, "network 1: timeout_seconds: is missing"),
        (WHOLE + OTHER + "timeout_seconds = 0", "network 2: timeout_seconds: 0 is not a positive"),
        *(
            (WHOLE + f"timeout_seconds = {value}", "network 1: timeout_seconds: ")
            for value in ("nan", "inf", "-1", "true", '"60"', "[60]", f"1{'0' * 400}")
        ),
        (
            WHOLE + "unknown = 'pass'",
            "network 1: unknown: 'pass' is not one of: inconclusive, fail",
        ),
        (WHOLE.replace("original", "model"), "network 1: 'model' is not known; known: compr"),
        (HEAD + "[[networks]]\nproperties = ['*']", "network 1: original: give the name of a file"),
        (WHOLE.replace("a.onnx", "*.onnx"), "network 1: original: 'onnx/*.onnx' matches 2 files"),
        (WHOLE.replace("a.onnx", "c.onnx"), "network 1: original: 'onnx/c.onnx' matches no file"),
        (WHOLE.replace("*.vnnlib", "onn*"), "network 1: properties: 'onn*' matches no file in"),
        (WHOLE.replace('["*.vnnlib"]', "[]"), "network 1: properties: the list is empty"),
        (WHOLE.replace('["*.vnnlib"]', "3"), "network 1: properties: give a list of file names"),
        (WHOLE + "variants = 'x'", "network 1: variants: give a list of file names"),
        (WHOLE + "variants = [3]", "network 1: variants: write the name of a file, or { model"),
        (WHOLE + "variants = ['none']", "network 1: variants: 'none' matches no file in"),
        (
            WHOLE + "variants = ['made/one/model.onnx', 'made/*/model.onnx']",
            "network 1: variants: made/one/model.onnx is there twice",
        ),
        (
            WHOLE + "variants = [{ map = 'x' }]",
            "network 1: variants: 'map' is not known; known: mo",
        ),
        (
            WHOLE + "variants = [{ model = 'onnx/b.onnx' }]",
            "network 1: neuron_map: give the name of a file",
        ),
        (WHOLE + "compressions = 3", "network 1: compressions: write [[compressions]] for each"),
        (
            WHOLE + "[[networks.compressions]]\nmethod = 'magic'",
            "network 1: compression 1: there is no compression method",
        ),
        (
            WHOLE + "[[networks.compressions]]\nmethod = 'integer_quantisation'\noptions.bits = []",
            "network 1: compression 1: a list of values is empty, so nothing would be made",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, message: str, folder: Path) -> None:
    with pytest.raises(UsageError) as found:
        read_manifest(write(folder, text))

    assert str(found.value).startswith(f"{folder / 'mucg4.toml'}: {message}")
