# SPDX-License-Identifier: Apache-2.0
"""Jobs of a zoo: one proof for each original, carried from variant to variant.

    compress 16 bit ─► compress 8 bit ─► prune
          │                 │              │
    prove ─► reverify ──────► reverify ────► reverify        for each network and property

Each variant reuses the proof of what its last step was applied to. Where that has none, because it
is violated or time ran out, a counterexample is tried first and the rest is done from scratch. A
variant that is given as a file is there at once; where nothing says which of its neurons is which,
that is inferred from the two networks.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from verifier.batch.inputs import file_bytes, network_bytes
from verifier.batch.job import Job
from verifier.batch.question import Given, Question, Subject
from verifier.batch.task import Outcome, Task, failure
from verifier.errors import VerifierError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from verifier.batch.job import Outcomes
    from verifier.batch.question import Change
    from verifier.batch.zoo import Zoo


def jobs_of_zoo(zoo: Zoo, *, has_reuse: bool = True, certify: bool = False) -> list[Job]:
    """Return the jobs of a zoo: proofs first, then variants in the order of their steps.

    Args:
        zoo: What is asked.
        has_reuse: Whether variants reuse proofs; without it each is verified from scratch.
        certify: Whether each verdict comes with a certificate.
    """
    # What others are made of has to keep its proof for them.
    bases = {steps[:-1] for steps in zoo.variants} if has_reuse else set()
    return [*_Questions(zoo, bases, has_reuse=has_reuse, certify=certify).jobs()]


def jobs_with_bases(zoo: Zoo, bases: AbstractSet[tuple[Change, ...]]) -> list[Job]:
    """Return the jobs of a zoo of which others may be asked later.

    Args:
        zoo: What is asked.
        bases: What variants are made of, now or later.
    """
    return [*_Questions(zoo, bases, has_reuse=True).jobs()]


class _Questions:
    def __init__(
        self,
        zoo: Zoo,
        bases: AbstractSet[tuple[Change, ...]],
        *,
        has_reuse: bool,
        certify: bool = False,
    ) -> None:
        self._zoo = zoo
        self._bases = bases
        self._has_reuse = has_reuse
        self._certify = certify

    def jobs(self) -> Iterator[Job]:
        originals = [Subject(name) for name in self._zoo.networks]
        for subject in originals:
            yield from (self._verification(subject, prop) for prop in self._zoo.properties)
        for steps in self._zoo.variants:
            for original in originals:
                subject = Subject(original.network, steps)
                yield self._compression(subject)
                yield from (self._verification(subject, prop) for prop in self._zoo.properties)

    def _compression(self, subject: Subject) -> Job:
        needs = (made_by(subject.base),) if subject.base.steps else ()
        return Job(made_by(subject), needs, partial(self._compress, subject))

    def _verification(self, subject: Subject, prop: str) -> Job:
        question = Question(subject, prop, self._zoo.timeout_seconds)
        needs: tuple[str, ...] = ()
        if subject.steps:
            base = Question(subject.base, prop, self._zoo.timeout_seconds)
            needs = (made_by(subject), str(base)) if self._has_reuse else (made_by(subject),)
        return Job(str(question), needs, partial(self._verify, question), question)

    def _compress(self, subject: Subject, outcomes: Outcomes) -> Task | Outcome:
        step = subject.steps[-1]
        if isinstance(step, Given):
            return self._given(step)
        model = self._model(subject.base, outcomes)
        if isinstance(model, Outcome):
            return model
        options = {"method": step.method, "options": list(step.options)}
        return Task("compress", {"model.onnx": model}, options)

    def _given(self, step: Given) -> Outcome:
        folder = self._zoo.folder
        try:
            files = {"model.onnx": network_bytes(folder / step.model)}
            if step.neuron_map:
                files["neuron_map.json"] = file_bytes(folder / step.neuron_map)
        except VerifierError as error:
            return failure(str(error))
        return Outcome({}, files)

    def _verify(self, question: Question, outcomes: Outcomes) -> Task | Outcome:
        subject = question.subject
        model = self._model(subject, outcomes)
        if isinstance(model, Outcome):
            return model
        try:
            files = {
                "model.onnx": model,
                "property.vnnlib": file_bytes(self._zoo.folder / question.prop),
            }
        except VerifierError as error:
            return failure(str(error))
        if subject.steps and self._has_reuse:
            files |= self._reused(question, outcomes)
        options = {
            "timeout_seconds": question.timeout_seconds,
            "keep": subject.steps in self._bases,
            "certify": self._certify,
        }
        return Task("verify", files, options)

    def _reused(self, question: Question, outcomes: Outcomes) -> dict[str, bytes]:
        """Return the proof of what a variant was made from, and what says which neuron is which."""
        subject = question.subject
        base = Question(subject.base, question.prop, question.timeout_seconds)
        proof = outcomes[str(base)].files.get("proof")
        if proof is None:
            return {}
        neuron_map = outcomes[made_by(subject)].files.get("neuron_map.json")
        if neuron_map is not None:
            return {"base.proof": proof, "neuron_map.json": neuron_map}
        original = self._model(subject.base, outcomes)
        # It has a proof, so there is a file.
        assert isinstance(original, bytes)  # noqa: S101
        return {"base.proof": proof, "original.onnx": original}

    def _model(self, subject: Subject, outcomes: Outcomes) -> bytes | Outcome:
        """Return the file of a network, or why there is none."""
        if subject.steps:
            made = outcomes[made_by(subject)]
            if made.error:
                return failure(f"it could not be made: {made.error}")
            return made.files["model.onnx"]
        try:
            return network_bytes(self._zoo.folder / subject.network)
        except VerifierError as error:
            return failure(str(error))


def made_by(subject: Subject) -> str:
    """Return the name of the job that makes a variant."""
    return f"make {subject}"
