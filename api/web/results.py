# SPDX-License-Identifier: Apache-2.0
"""What jobs answer, read with care.

An answer comes from a process that had a stranger's file open, so it is data of any shape: what is
not as expected is not shown, and costs no more than that. Numbers that are exact come as ``"p/q"``
of any length and are rounded without computing with all of their digits.
"""

# Annotations are read at run time here, so they are not postponed.
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

_RATIONAL = re.compile(r"(-?)([0-9]+)(?:/([0-9]+))?")
_DIGITS = 18


def rounded(text: object) -> float:
    """Return a float near an exact number that is written ``"p"`` or ``"p/q"``.

    Raises:
        ValueError: It is not written so.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    match = _RATIONAL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        msg = "not a rational number"
        raise ValueError(msg)
    sign, numerator, denominator = match[1], match[2], match[3] or "1"
    divisor = int(denominator[:_DIGITS])
    if divisor == 0:
        msg = "a denominator of 0"
        raise ValueError(msg)
    exponent = max(len(numerator) - _DIGITS, 0) - max(len(denominator) - _DIGITS, 0)
    size = int(numerator[:_DIGITS]) / divisor
    try:
        size *= 10.0 ** max(exponent, -600)
    except OverflowError:
        size = math.inf if size else 0.0
    return -size if sign else size


Rational = Annotated[float, BeforeValidator(rounded)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Word = Annotated[str, Field(max_length=400)]


class Told(BaseModel):
    """A part of an answer; what else it says is not shown."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Row(Told):
    """A row of a case: it holds where its excess is 0 or less."""

    row: Word
    excess: float | None
    original_excess: float | None


class Violated(Told):
    """The case that a counterexample violates."""

    case: Count
    lower: list[float | None]
    upper: list[float | None]
    rows: list[Row]


class Replay(Told):
    """One run in floats."""

    runtime: Word
    is_optimised: bool
    float_type: Word
    is_violated: bool
    inside_box: bool
    problem: Word = ""


class Counterexample(Told):
    """An input with an unsafe output."""

    input: list[Rational]
    output: list[Rational]
    original_output: list[Rational] | None = None
    replay: list[Replay] = []
    is_confirmed_in_floats: bool = False
    replay_problem: Word = ""
    violated: Violated


class Reuse(Told):
    """What became of the original's cores."""

    cores: Count
    valid: Count
    repaired: Count
    dropped: Count
    untranslatable: Count
    vacuous: Count = 0
    residual_subproblems: Count
    proof_reuse_rate: Annotated[float, Field(ge=0, le=1)]
    gave_up: bool = False
    original_seconds: float
    break_even_variants: Count | None = None


class Verification(Told):
    """What ``prove`` and ``reverify`` answer."""

    verdict: Word
    reason: Word = ""
    semantics: Word
    seconds: float
    counterexample: Counterexample | None
    cores: Count | None = None
    reuse: Reuse | None = None
    by_differential_margin: bool = False
    not_written: dict[Word, Word] = {}
    note: Word = ""


class Sizes(Told):
    """How large a network is."""

    layer_widths: list[Count]
    parameters: Count
    nonzero_parameters: Count


class SizePair(Told):
    """Both networks' sizes."""

    original: Sizes
    compressed: Sizes


class Delta(Told):
    """How far the weights of one operator moved."""

    node: Word
    max_abs: float
    fro: float
    nnz: Count


class CompressionReport(Told):
    """What a compression did."""

    method: Word
    options: dict[str, Any]
    exactness: Word
    weight_delta: list[Delta]
    sizes: SizePair


class Compressed(Told):
    """What ``compress`` answers."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    report: CompressionReport


class Widths(Told):
    """How wide the bounds of a layer are."""

    mean: float
    largest: float
    unstable: Count


class WidthPair(Told):
    """Both networks' bounds."""

    original: Widths | None
    compressed: Widths | None


class LayerChange(Told):
    """What compression changed in one layer."""

    layer: Count
    name: Word
    is_output: bool
    width: Count
    kind: Word
    counts: dict[Word, Count]
    zeroed: Count
    max_change: float
    relative_change: float
    distinct_before: Count
    distinct_after: Count
    bound_widths: WidthPair | None = None


class HowMapped(Told):
    """How neurons were matched."""

    how: Word
    confidence: float | None = None


class Classified(Told):
    """What ``classify`` answers."""

    kind: Word
    treatment: Word
    map: HowMapped
    layers: list[LayerChange]


class Checked(Told):
    """What ``certificate check`` answers."""

    accepted: bool
    verdict: Word | None = None
    reason: Word | None = None
    seconds: float | None = None


Answer = TypeVar("Answer", bound=Told)


def read_answer(kind: type[Answer], answer: Mapping[str, Any] | None) -> Answer | None:
    """Return an answer as what it should be; None if there is none, or it is something else."""
    if answer is None:
        return None
    try:
        return kind.model_validate(answer)
    except (ValidationError, RecursionError):
        return None
