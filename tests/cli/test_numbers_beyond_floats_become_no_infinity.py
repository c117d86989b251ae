# SPDX-License-Identifier: Apache-2.0
"""Numbers of a property are exact; those that no float64 holds are refused or make no difference.

Overflow is a warning in numpy, and warnings are errors here: an infinity on the way is a failure.
"""

from __future__ import annotations

import pytest

from tests.cli.running import HOLDS_FROM, VIOLATED_UP_TO, Files, property_text, run

BEYOND = "bounds are computed in float64"


def with_end(condition: str, **ends: str) -> str:
    """Return a property with other ends of the second input."""
    text = property_text(condition)
    for was, end in (("(>= X_1 -1.0)", ends.get("lower")), ("(<= X_1 1.0)", ends.get("upper"))):
        assert was in text
        text = text if end is None else text.replace(was, f"{was[:8]}{end})")
    return text


HOLDS = f"(>= Y_0 {HOLDS_FROM})"
REFUSED = {
    "a bound": property_text("(>= Y_0 1e999)"),
    "a bound that is always exceeded": property_text("(<= Y_0 1e999)"),
    "a negative bound": property_text("(<= Y_0 -1e999)"),
    "the largest float": property_text("(>= Y_0 1.7976931348623157e308)"),
    "the smallest float": property_text("(<= Y_0 -1.7976931348623157e308)"),
    "just beyond the largest float": property_text("(>= Y_0 1.797693134862315808e308)"),
    "a coefficient of an output": property_text(f"(>= (* 1e999 Y_0) {HOLDS_FROM}e999)"),
    "a coefficient that grows too large": property_text(f"(>= (* 1e308 Y_0) {HOLDS_FROM}e308)"),
    "coefficients that add up": property_text("(>= (+ (* 1e308 Y_0) (* 1e308 Y_1)) 1e308)"),
    "a coefficient of an input": property_text(f"(and {HOLDS} (<= (+ (* 1e999 X_0) X_1) 0))"),
    "an end of the box": with_end(HOLDS, upper="1e999"),
    "both ends of the box": with_end(HOLDS, lower="-1e999", upper="1e999"),
    "a box far away": with_end("(>= Y_0 1e900)", lower="1e998", upper="1e999"),
}
DECIDED = {
    "an empty box": (with_end(HOLDS, lower="1e999"), "holds"),
    "a wide box": (with_end("(>= Y_0 1e250)", upper="1e39"), "holds"),
    "a large bound": (property_text("(<= Y_0 1e290)"), "violated"),
    "large coefficients": (property_text(f"(>= (* 1e290 Y_0) {VIOLATED_UP_TO}e290)"), "violated"),
    "tiny coefficients": (property_text(f"(>= (* 1e-999 Y_0) {VIOLATED_UP_TO}e-999)"), "violated"),
    "a tiny end of the box": (with_end(HOLDS, upper="1e-999"), "holds"),
    "a tiny box": (with_end("(>= Y_0 -100)", lower="1e-1000", upper="1e-999"), "violated"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_number_beyond_floats_is_refused(files: Files, what: str) -> None:
    prop = files.path("far.vnnlib", REFUSED[what])

    ended = run("prove", files.network, prop, "--timeout", "60", "--format", "json")

    assert ended.status == 3, ended
    assert ended.document["error"]["kind"] == "RefusedError"
    assert BEYOND in ended.document["error"]["message"]


@pytest.mark.parametrize("what", DECIDED)
def test_a_number_that_floats_can_do_without_is_decided_rightly(files: Files, what: str) -> None:
    text, verdict = DECIDED[what]
    prop, certificate = files.path("far.vnnlib", text), files.folder / "certificate"

    ended = run(
        "prove",
        files.network,
        prop,
        "--certificate",
        certificate,
        "--timeout",
        "60",
        "--format",
        "json",
    )
    checked = run(
        "certificate", "check", certificate, "--network", files.network, "--property", prop
    )

    assert ended.document["verdict"] == verdict
    assert checked.status == 0, checked


def test_a_comparison_over_a_box_beyond_floats_is_refused(files: Files) -> None:
    prop = files.path("far.vnnlib", REFUSED["an end of the box"])

    ended = run("classify", files.network, files.network, "--property", prop, "--format", "json")

    assert ended.status == 3, ended
    assert BEYOND in ended.document["error"]["message"]


@pytest.mark.parametrize("what", REFUSED)
def test_a_certificate_is_not_accepted_for_a_property_beyond_floats(
    files: Files, what: str
) -> None:
    certificate, prop = files.folder / "certificate", files.path("far.vnnlib", REFUSED[what])
    run("prove", files.network, files.holds, "--certificate", certificate)

    checked = run(
        "certificate", "check", certificate, "--network", files.network, "--property", prop
    )

    assert checked.status == 3, checked
