# SPDX-License-Identifier: Apache-2.0
"""A counterexample as it is shown: inputs within their bounds, both outputs, the violated rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.web.charts import (
    Scale,
    common_scale,
    interval_bar,
    picture,
    picture_shape,
    signed_bar,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from api.web.results import Counterexample, Row

MOST_ROWS = 40


@dataclass(frozen=True)
class InputRow:
    """An input: where it is between its bounds."""

    name: str
    value: float
    lower: float | None
    upper: float | None
    bar: Markup | None


@dataclass(frozen=True)
class OutputRow:
    """An output of the network, and of its original if that is known."""

    name: str
    value: float
    bar: Markup
    original: float | None
    original_bar: Markup | None


@dataclass(frozen=True)
class Pictures:
    """The input as a picture, and the bounds that it was sought in."""

    input: Markup
    lower: Markup | None
    upper: Markup | None
    side: int


@dataclass(frozen=True)
class CounterexampleView:
    """A counterexample as it is shown.

    Attributes:
        inputs: The inputs, the first of them where there are many.
        hidden_inputs: How many more there are.
        pictures: The input as a picture, where it can be one.
        outputs: The outputs, the first of them where there are many.
        hidden_outputs: How many more there are.
        rows: What holds at this point and must not.
        facts: What else the answer says.
    """

    inputs: Sequence[InputRow]
    hidden_inputs: int
    pictures: Pictures | None
    outputs: Sequence[OutputRow]
    hidden_outputs: int
    rows: Sequence[Row]
    facts: Counterexample


def show_counterexample(found: Counterexample) -> CounterexampleView:
    """Return a counterexample as it is shown."""
    pictures = _pictures(found)
    shown = 0 if pictures is not None else MOST_ROWS
    return CounterexampleView(
        inputs=_inputs(found)[:shown],
        hidden_inputs=0 if pictures is not None else max(len(found.input) - shown, 0),
        pictures=pictures,
        outputs=_outputs(found),
        hidden_outputs=max(len(found.output) - MOST_ROWS, 0),
        rows=found.violated.rows[:MOST_ROWS],
        facts=found,
    )


def _inputs(found: Counterexample) -> list[InputRow]:
    rows = []
    ends = zip(found.violated.lower, found.violated.upper, strict=False)
    for number, (value, (lower, upper)) in enumerate(zip(found.input, ends, strict=False)):
        known = lower is not None and upper is not None
        bar = interval_bar(value, lower, upper) if lower is not None and upper is not None else None
        name = f"X_{number}"
        rows.append(InputRow(name, value, lower if known else None, upper if known else None, bar))
    return rows


def _outputs(found: Counterexample) -> list[OutputRow]:
    originals = found.original_output
    if originals is not None and len(originals) != len(found.output):
        originals = None
    scale = common_scale([*found.output, *(originals or ())])
    return [
        OutputRow(
            name=f"Y_{number}",
            value=value,
            bar=signed_bar(value, scale, "compressed" if originals is not None else "original"),
            original=None if originals is None else originals[number],
            original_bar=(
                None if originals is None else signed_bar(originals[number], scale, "original")
            ),
        )
        for number, value in enumerate(found.output[:MOST_ROWS])
    ]


def _pictures(found: Counterexample) -> Pictures | None:
    shape = picture_shape(len(found.input))
    if shape is None:
        return None
    lower = [value for value in found.violated.lower if value is not None]
    upper = [value for value in found.violated.upper if value is not None]
    is_bounded = len(lower) == len(upper) == len(found.input)
    everything = [*found.input, *(lower if is_bounded else ()), *(upper if is_bounded else ())]
    scale = Scale(min(everything), max(everything))
    return Pictures(
        input=picture(found.input, scale, "the input"),
        lower=picture(lower, scale, "the least that each input may be") if is_bounded else None,
        upper=picture(upper, scale, "the most that each input may be") if is_bounded else None,
        side=shape[1],
    )
