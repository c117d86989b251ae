# SPDX-License-Identifier: Apache-2.0
"""Answers of jobs, as the command line gives them."""

from __future__ import annotations

from typing import Any


def counterexample(inputs: int = 2, original: bool = True) -> dict[str, Any]:
    """Return a counterexample with so many inputs and two outputs."""
    return {
        "input": ["1/2"] * inputs,
        "output": ["-3/4", "1/3"],
        **({"original_output": ["1/4", "-1/5"]} if original else {}),
        "replay": [
            {
                "runtime": "onnxruntime 1",
                "is_optimised": False,
                "float_type": "float32",
                "input": [0.5] * inputs,
                "output": [-0.75, 0.333],
                "inside_box": True,
                "is_violated": True,
                "deviation": 0.0,
                "problem": "",
            }
        ],
        "is_confirmed_in_floats": True,
        "replay_problem": "",
        "violated": {
            "case": 0,
            "lower": [0.0] * inputs,
            "upper": [1.0] * inputs,
            "rows": [
                {
                    "row": "Y_0 - Y_1 <= 0",
                    "excess": -1.0833,
                    "original_excess": 0.45 if original else None,
                }
            ],
        },
    }


def proved(verdict: str = "holds", **more: Any) -> dict[str, Any]:
    """Return an answer of ``prove``."""
    return {
        "command": "prove",
        "verdict": verdict,
        "reason": "",
        "semantics": "real",
        "seconds": 1.25,
        "counterexample": None,
        "statistics": {"calls": {}, "seconds": {}},
        "cores": 7,
        "proof": "original.proof",
        "certificate": "certificate.json.gz",
        "not_written": {},
        **more,
    }


def reuse(**more: Any) -> dict[str, Any]:
    """Return what an answer of ``reverify`` says of reuse."""
    return {
        "cores": 10,
        "valid": 5,
        "in_parts": 4,
        "repaired": 3,
        "dropped": 2,
        "untranslatable": 1,
        "vacuous": 0,
        "residual_subproblems": 4,
        "proof_reuse_rate": 0.5,
        "gave_up": False,
        "original_seconds": 9.5,
        "break_even_variants": 2,
        **more,
    }


def classified() -> dict[str, Any]:
    """Return an answer of ``classify`` with bounds."""
    widths = {"mean": 2.5, "largest": 4.0, "unstable": 3}
    layer = {
        "layer": 0,
        "name": "relu_1/in",
        "is_output": False,
        "width": 5,
        "partners": 5,
        "kind": "perturbed",
        "treatment": "revalidate",
        "counts": {"perturbed": 4, "unchanged": 1},
        "zeroed": 6,
        "max_change": 0.25,
        "relative_change": 0.125,
        "distinct_before": 9,
        "distinct_after": 8,
        "bound_widths": {"original": widths, "compressed": {**widths, "mean": 2.75}},
    }
    mapped = {"how": "every neuron stands for itself", "source": "identity", "confidence": 1.0}
    return {
        "command": "classify",
        "kind": "perturbed",
        "treatment": "revalidate",
        "map": mapped,
        "layers": [layer],
        "neurons": [],
    }
