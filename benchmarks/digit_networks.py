# SPDX-License-Identifier: Apache-2.0
"""Classifiers of digits of any size, with robustness properties: the example's, made larger.

Training and properties are those of ``examples/digits/train.py``, with its seed. The last bits of
weights depend on the machine's linear algebra.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verifier.ir.evaluate import evaluate

if TYPE_CHECKING:
    from verifier.ir.graph import Graph
    from verifier.spec.property import Property

TRAINING = Path(__file__).parents[1] / "examples" / "digits" / "train.py"
SHARE = Fraction(17, 20)
"""Of the least epsilon at which an attack succeeds: properties stay below and hold, most of them,
but take a search to prove."""


def digit_network(widths: tuple[int, ...]) -> Graph:
    """Return a network with hidden layers of the given widths, trained."""
    training, _, _ = _example().split_digits()
    graph: Graph = _example().train(training, widths)
    return graph


def digit_property(graph: Graph, label: int) -> Property:
    """Return robustness of a test image of a digit that withstands an attack for a while."""
    _, test, _ = _example().split_digits()
    is_right = np.argmax(evaluate(graph, test.images), axis=1) == test.labels
    candidates = np.flatnonzero(is_right & (test.labels == label))
    row, limit = _example().first_sturdy(graph, test.images, candidates, label)
    prop: Property = _example().robustness(test.images[row], label, SHARE * limit)
    return prop


@cache
def _example() -> Any:
    """Return the example's script as a module."""
    spec = spec_from_file_location("digits_example", TRAINING)
    if spec is None or spec.loader is None:
        msg = f"{TRAINING} is no module"
        raise ImportError(msg)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
