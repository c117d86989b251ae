# SPDX-License-Identifier: Apache-2.0
"""A folder with a small network and a manifest, and a gate that runs in this process.

What a run asks of the pool can be answered by a fake, so that each kind of outcome can be had: a
time limit, a refusal, a crash.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.batch.at_once import AtOnce, Heard
from tests.cli.running import HOLDS_FROM, VIOLATED_UP_TO, network_bytes, property_text
from verifier.batch.store import opened
from verifier.batch.task import Outcome, crash, failure
from verifier.batch.work import execute
from verifier.gate.gate import run_gate
from verifier.gate.manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from verifier.batch.task import Task
    from verifier.gate.check import Check, Report

CRASH = "the process that worked on it was ended by signal 9"
LIMIT = "time limit reached with 3 regions open"
CONDITIONS = {"holds": f"(>= Y_0 {HOLDS_FROM})", "violated": f"(>= Y_0 {VIOLATED_UP_TO})"}
ONE = """
timeout_seconds = 60
[[networks]]
original = "network.onnx"
properties = ["holds.vnnlib", "violated.vnnlib"]
"""
LATE = ONE.replace('"holds.vnnlib", "violated.vnnlib"', '"late.vnnlib"')
HOLDS = ONE.replace(', "violated.vnnlib"', "")
HOSTILE_NETWORK = "n | `a` ``b`` [x](y) <b>&\"' @c #1 {0} \x1b[31m \ufffe \udcff é.onnx"
HOSTILE_PROPERTY = "p `\n## head\r]]> 100% \udcff.vnnlib"
HOSTILE_REASON = "```\n</failure> ]]> <script> \x00 \udc80 | `x`"
ALL_KINDS = """
timeout_seconds = 60
[[networks]]
original = "network.onnx"
properties = ["broken.vnnlib", "crashes.vnnlib", "holds.vnnlib", "violated.vnnlib"]
[[networks.compressions]]
method = "integer_quantisation"
options = { bits = 16 }
[[networks]]
original = "allowed.onnx"
properties = ["late.vnnlib"]
unknown = "allow"
[[networks]]
original = "asked.onnx"
properties = ["late.vnnlib"]
[[networks]]
original = "strict.onnx"
properties = ["late.vnnlib"]
unknown = "fail"
"""


@dataclass
class Setting:
    """A folder with a manifest, and a pool that answers what is asked.

    Attributes:
        folder: Where the manifest lies.
        do: Does a task.
        pools: One for each run so far.
    """

    folder: Path
    do: Callable[[Task], Outcome] = execute
    pools: list[AtOnce] = field(default_factory=list)

    @classmethod
    def make(cls, folder: Path, manifest: str, do: Callable[[Task], Outcome] = execute) -> Setting:
        """Write a manifest, and the files that manifests here speak of."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("network", "allowed", "asked", "strict"):
            (folder / f"{name}.onnx").write_bytes(network_bytes())
        for name, condition in CONDITIONS.items():
            (folder / f"{name}.vnnlib").write_text(property_text(condition), encoding="utf-8")
        for name in ("late", "crashes"):
            text = f"; {name}\n{property_text(CONDITIONS['holds'])}"
            (folder / f"{name}.vnnlib").write_text(text, encoding="utf-8")
        (folder / "broken.vnnlib").write_text("(assert", encoding="utf-8")
        (folder / "mucg4.toml").write_text(manifest, encoding="utf-8")
        return cls(folder, do)

    @property
    def manifest(self) -> Path:
        """The manifest."""
        return self.folder / "mucg4.toml"

    def run(self, *, certify: bool = False) -> Report:
        """Run the gate; outcomes are kept from run to run."""
        pool = AtOnce(do=self.do)
        self.pools.append(pool)
        with opened(self.folder / "kept") as store, closing(pool):
            return run_gate(read_manifest(self.manifest), pool, store, Heard(), certify=certify)


def hostile_setting(folder: Path) -> Setting:
    """Return a setting whose files have the worst names there can be, and a reason to match."""
    manifest = """
    timeout_seconds = 60
    [[networks]]
    original = "n |*.onnx"
    properties = ["p `*.vnnlib"]
    [[networks]]
    original = "network.onnx"
    properties = ["p `*.vnnlib"]
    """
    setting = Setting.make(folder, manifest, _hostile)
    (folder / HOSTILE_NETWORK).write_bytes(network_bytes(seed=4))
    text = property_text(CONDITIONS["violated"])
    (folder / HOSTILE_PROPERTY).write_text(text, encoding="utf-8")
    return setting


def _hostile(task: Task) -> Outcome:
    if task.files["model.onnx"] == network_bytes():
        return execute(task)
    return failure(HOSTILE_REASON)


def as_named(task: Task) -> Outcome:
    """Do a task, unless its property is one that is late or makes the process crash."""
    text = task.files.get("property.vnnlib", b"")
    if text.startswith(b"; crashes"):
        return crash(CRASH)
    if text.startswith(b"; late"):
        return Outcome(unknown(LIMIT))
    return execute(task)


def unknown(reason: str) -> dict[str, object]:
    """Return what a verification tells that came to no verdict."""
    return {
        "verdict": "unknown",
        "reason": reason,
        "semantics": "real",
        "seconds": 0.1,
        "run_seconds": 0.125,
        "counterexample": None,
        "reuse": None,
        "cores": 0,
        "not_written": {},
        "is_vacuous": False,
    }


def only(report: Report) -> Check:
    """Return the one check of a report."""
    (check,) = report.checks
    return check


def one(checks: Sequence[Check], network: str, prop: str, *, has_steps: bool = False) -> Check:
    """Return the check of a network and a property."""
    (found,) = (
        check
        for check in checks
        if check.question.subject.network == network
        and check.question.prop == prop
        and bool(check.question.subject.steps) == has_steps
    )
    return found
