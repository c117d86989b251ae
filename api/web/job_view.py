# SPDX-License-Identifier: Apache-2.0
"""A job as its page shows it: what was asked, how it stands, and what the answer means in words."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from api.jobs.states import UNFINISHED, State
from api.web.charts import Share, common_scale, shares_bar, signed_bar
from api.web.counterexample_view import show_counterexample
from api.web.results import Checked, Classified, Compressed, Verification, read_answer
from verifier.verdict import Semantics, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from api.schemas import JobDetail
    from api.web.counterexample_view import CounterexampleView
    from api.web.labels import Labels
    from api.web.results import Reuse

TITLES = {
    "prove": "Proof",
    "reverify": "Re-verification",
    "compress": "Compression",
    "classify": "Comparison",
    "check": "Certificate check",
    "batch": "Batch",
}

MEANINGS = {
    Verdict.HOLDS: "No input in the set that the property names has an unsafe output.",
    Verdict.VIOLATED: "There is an input in the set that the property names with an unsafe output.",
    Verdict.UNKNOWN: "Neither was shown: no counterexample was found, and no proof was finished.",
}

ARITHMETIC = {
    Semantics.REAL: "In real arithmetic on the weights as stored. How a runtime rounds is not part "
    "of the statement.",
}

STATES = {
    State.QUEUED: "Waits for a worker, or for jobs that it needs.",
    State.RUNNING: "A worker is at it; what it finds will stand here.",
    State.FAILED: "There is no answer.",
    State.CANCELLED: "Somebody asked for its end.",
    State.TIMED_OUT: "It ran longer than a job may.",
}


@dataclass(frozen=True)
class Headline:
    """What a job came to, in large type.

    Attributes:
        status: Chooses colour and symbol.
        word: The verdict or the state.
        meaning: What that means, in a sentence or two.
        reason: What the program said about it.
    """

    status: str
    word: str
    meaning: Sequence[str]
    reason: str = ""


@dataclass(frozen=True)
class ReuseView:
    """What became of the original's cores."""

    told: Reuse
    bar: Markup
    shares: Sequence[Share]


@dataclass(frozen=True)
class LayerBar:
    """How far one layer moved, as a bar."""

    name: str
    largest: float
    bar: Markup


@dataclass(frozen=True)
class JobView:
    """A job as its page shows it.

    Attributes:
        title: What it does.
        headline: What it came to.
        verification: The answer of ``prove`` or ``reverify``.
        compressed: The answer of ``compress``.
        classified: The answer of ``classify``.
        checked: The answer of ``certificate check``.
        counterexample: The counterexample of the answer.
        reuse: What became of the original's cores.
        deltas: How far the layers moved.
        check_command: How to check the certificate on another machine.
        again: The request that makes the same job once more.
    """

    title: str
    headline: Headline
    verification: Verification | None = None
    compressed: Compressed | None = None
    classified: Classified | None = None
    checked: Checked | None = None
    counterexample: CounterexampleView | None = None
    reuse: ReuseView | None = None
    deltas: Sequence[LayerBar] = ()
    check_command: str = ""
    again: Mapping[str, Any] = field(default_factory=dict)


def show_job(job: JobDetail, labels: Labels) -> JobView:
    """Return a job as its page shows it."""
    answer = job.result
    verifies = job.kind in ("prove", "reverify")
    verification = read_answer(Verification, answer) if verifies else None
    compressed = read_answer(Compressed, answer) if job.kind == "compress" else None
    checked = read_answer(Checked, answer) if job.kind == "check" else None
    classified = read_answer(Classified, answer) if job.kind == "classify" else None
    found = verification.counterexample if verification is not None else None
    return JobView(
        title=TITLES.get(job.kind, job.kind),
        headline=_headline(job, verification, checked),
        verification=verification,
        compressed=compressed,
        classified=classified,
        checked=checked,
        counterexample=None if found is None else show_counterexample(found),
        reuse=_reuse(verification),
        deltas=_deltas(compressed),
        check_command=_check_command(job, labels),
        again=repeated(job),
    )


def repeated(job: JobDetail) -> Mapping[str, Any]:
    """Return the request that makes the same job once more."""
    request = dict(job.request)
    if job.kind in ("prove", "reverify") and "property" in request:
        request["properties"] = [request.pop("property")]
    return {name: value for name, value in request.items() if value is not None}


def _headline(
    job: JobDetail, verification: Verification | None, checked: Checked | None
) -> Headline:
    if job.state != State.SUCCEEDED:
        detail = str((job.problem or {}).get("detail", ""))
        return Headline(job.state, job.state.replace("_", " "), (STATES[job.state],), detail)
    if verification is not None and verification.verdict in tuple(Verdict):
        verdict = Verdict(verification.verdict)
        meaning = [MEANINGS[verdict], *_semantics(verification.semantics)]
        return Headline(verdict, verdict, meaning, verification.reason)
    if checked is not None:
        word = "accepted" if checked.accepted else "rejected"
        said = (
            "The independent checker agrees, in exact arithmetic, that the certificate proves its "
            "verdict for this network and this property."
            if checked.accepted
            else "The certificate does not prove anything about this network and this property."
        )
        return Headline(word, word, (said,), checked.reason or "")
    return Headline("succeeded", "done", (_done(job),))


def _done(job: JobDetail) -> str:
    match job.kind:
        case "compress":
            return "The variant is made. Nothing is known yet of its properties."
        case "classify":
            return "The two networks are compared, layer by layer."
        case "batch":
            return "All jobs of the batch have an answer."
        case _:
            return "There is an answer, which this page cannot show; fetch it as JSON."


def _semantics(name: str) -> Sequence[str]:
    return (ARITHMETIC[Semantics(name)],) if name in tuple(Semantics) else ()


def _reuse(verification: Verification | None) -> ReuseView | None:
    told = verification.reuse if verification is not None else None
    if told is None or told.cores == 0:
        return None
    rest = told.cores - told.valid - told.repaired - told.dropped - told.vacuous
    shares = (
        Share("valid", told.valid),
        Share("repaired", told.repaired),
        Share("dropped", told.dropped),
        Share("vacuous", told.vacuous),
        Share("untried", max(rest, 0)),
    )
    return ReuseView(told, shares_bar(shares), shares)


def _deltas(compressed: Compressed | None) -> Sequence[LayerBar]:
    if compressed is None:
        return ()
    moved = compressed.report.weight_delta
    scale = common_scale([delta.max_abs for delta in moved])
    return [
        LayerBar(delta.node, delta.max_abs, signed_bar(delta.max_abs, scale, "compressed"))
        for delta in moved
    ]


def _check_command(job: JobDetail, labels: Labels) -> str:
    names = {artifact.name: artifact.file_name for artifact in job.artifacts}
    if "certificate" not in names:
        return ""
    words = ["mucg4", "certificate", "check", names["certificate"]]
    words += ["--network", labels.model_file(job.model), "--property"]
    return shlex.join([*words, labels.property_file(job.property)])


def is_unfinished(job: JobDetail) -> bool:
    """Say whether there is anything to wait for."""
    return job.state in UNFINISHED
