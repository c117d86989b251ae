# SPDX-License-Identifier: Apache-2.0
"""What is verified under a name are the files of that name, in the form that it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.batch.at_once import AtOnce, Heard
from verifier.batch.question import Given, Question, Step, Subject
from verifier.batch.reuse import jobs_of_zoo
from verifier.batch.run import Run
from verifier.batch.store import opened
from verifier.batch.task import Outcome, Task
from verifier.batch.zoo import Zoo

if TYPE_CHECKING:
    from pathlib import Path

    from verifier.batch.question import Change

QUANTISED = Step("integer_quantisation", ("bits=8",))
PRUNED = Step("magnitude_pruning", ("sparsity=0.1",))


def told(task: Task) -> Outcome:
    """Return the content of files, with what is done to them written behind."""
    model = task.files["model.onnx"]
    if task.command == "compress":
        words = [task.options["method"], *task.options["options"]]
        return Outcome({}, {"model.onnx": b" ".join([model, *(w.encode() for w in words)])})
    return Outcome({"model": model.decode(), "property": task.files["property.vnnlib"].decode()})


def test_each_question_has_its_own_files(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx", "given.onnx", "p.vnnlib", "q.vnnlib"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    variants: tuple[tuple[Change, ...], ...]
    variants = ((QUANTISED,), (Given("given.onnx"),), (QUANTISED, PRUNED))
    zoo = Zoo(tmp_path, ("a.onnx", "b.onnx"), ("p.vnnlib", "q.vnnlib"), variants, 9.0)
    done: dict[tuple[Change, ...], str] = {
        (): "{}",
        variants[0]: "{} integer_quantisation bits=8",
        variants[1]: "given.onnx",
        variants[2]: "{} integer_quantisation bits=8 magnitude_pruning sparsity=0.1",
    }

    with opened(tmp_path / "kept") as store:
        run = Run(AtOnce(do=told), store, Heard())
        run.do(jobs_of_zoo(zoo))

    for network in zoo.networks:
        for prop in zoo.properties:
            for steps, model in done.items():
                name = str(Question(Subject(network, steps), prop, 9.0))
                assert run.outcomes[name].document == {
                    "model": model.format(network),
                    "property": prop,
                }
