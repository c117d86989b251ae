# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: INP001  (a script, in no package)
"""Train the example network and write its robustness properties.

The network classifies the 8 x 8 images of scikit-learn's ``digits`` (UCI "Optical Recognition of
Handwritten Digits"): 64 pixels in [0, 1], three hidden layers of 48 ReLUs, 10 scores. It is trained
on three quarters of the images with weight decay, which gives it margins worth proving.

A property says: every image within ``epsilon`` of a given test image, pixel by pixel, and within
[0, 1], gets a higher score for the image's label than for any other digit. A gradient attack tells
from which ``epsilon`` on that is false. All properties but the last stay just below, so that they
hold but take a search to prove; the last lies above, and is violated.

Run it from the repository's root: ``python examples/digits/train.py``. Numbers may differ in their
last bits between machines, so the files that come with the repository need not come out again.
"""

from __future__ import annotations

import csv
import logging
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from verifier.ir.evaluate import evaluate
from verifier.ir.graph import Graph, Node
from verifier.ir.onnx_writer import write_onnx
from verifier.ir.operators import Affine, Input, Relu
from verifier.ir.rational import RationalArray
from verifier.spec.property import Case, InputBox, LinearConstraint, Property
from verifier.spec.vnnlib_writer import write_vnnlib

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

HERE = Path(__file__).parent
WIDTHS = (48, 48, 48)
GREY_LEVELS = 16
TEST_IMAGES = 500
SEED = 0
FINEST = Fraction(1, 500)
STURDY = Fraction(1, 9)
# How far below the attack's first success each property stays; the last lies above it.
SHARES = tuple(Fraction(n, 100) for n in (82, 88, 84, 90, 88, 95, 97, 110))


class Digits(NamedTuple):
    """Images as rows of 64 grey values in [0, 1], and their labels."""

    images: Array
    labels: NDArray[np.int64]


def main() -> None:
    """Train, choose the properties, write everything beside this file."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    log = logging.getLogger("digits")
    training, test, positions = split_digits()
    graph = train(training)
    correct = np.argmax(evaluate(graph, test.images), axis=1) == test.labels
    log.info("test accuracy %.1f %%", 100 * np.mean(correct))
    (HERE / "digits.onnx").write_bytes(write_onnx(graph, "float32"))

    folder = HERE / "properties"
    folder.mkdir(exist_ok=True)
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file", "label", "epsilon", "image"])
        for label, share in enumerate(SHARES):
            candidates = np.flatnonzero(correct & (test.labels == label))
            row, limit = first_sturdy(graph, test.images, candidates, label)
            epsilon = max(share * limit // FINEST, 1) * FINEST
            name = f"digit_{label}_epsilon_{float(epsilon)}.vnnlib"
            prop = robustness(test.images[row], label, epsilon)
            (folder / name).write_text(write_vnnlib(prop), encoding="utf-8")
            rows.writerow([name, label, float(epsilon), int(positions[row])])
            log.info("%s: the attack first succeeds at %s", name, float(limit))


def split_digits() -> tuple[Digits, Digits, NDArray[np.int64]]:
    """Return the training images, the test images, and where the latter stand in the data set."""
    images, labels = load_digits(return_X_y=True)
    training, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_IMAGES, stratify=labels, random_state=SEED
    )
    images = images / GREY_LEVELS
    return Digits(images[training], labels[training]), Digits(images[test], labels[test]), test


def train(data: Digits, widths: tuple[int, ...] = WIDTHS) -> Graph:
    """Return a trained network with float32 weights and hidden layers of the given widths."""
    classifier = MLPClassifier(
        widths,
        alpha=0.3,
        batch_size=64,
        learning_rate_init=3e-3,
        max_iter=500,
        random_state=SEED,
    )
    classifier.fit(data.images, data.labels)
    nodes = [Node("image", Input(), (), data.images.shape[1])]
    last = len(classifier.coefs_) - 1
    for layer, (weight, bias) in enumerate(
        zip(classifier.coefs_, classifier.intercepts_, strict=True)
    ):
        affine = Affine((_float32(weight.T),), _float32(bias))
        nodes.append(Node(f"dense{layer}", affine, (len(nodes) - 1,), len(bias)))
        if layer < last:
            nodes.append(Node(f"relu{layer}", Relu(), (len(nodes) - 1,), len(bias)))
    return Graph(tuple(nodes), "image", "scores")


def _float32(values: NDArray[Any]) -> RationalArray:
    return RationalArray.from_floats(values.astype(np.float32))


def robustness(image: Array, label: int, epsilon: Fraction) -> Property:
    """Return the property that no image within ``epsilon`` is taken for another digit."""
    pixels = [Fraction(float(pixel)) for pixel in image]
    box = InputBox(
        tuple(max(pixel - epsilon, Fraction(0)) for pixel in pixels),
        tuple(min(pixel + epsilon, Fraction(1)) for pixel in pixels),
    )
    cases = []
    for other in range(10):
        if other != label:
            # Violated where the other digit's score is at least the label's.
            terms = tuple(sorted([(label, Fraction(1)), (other, Fraction(-1))]))
            cases.append(Case(box, (LinearConstraint((), terms, Fraction(0)),)))
    return Property(len(pixels), 10, tuple(cases))


def first_sturdy(
    graph: Graph, images: Array, candidates: NDArray[np.int64], label: int
) -> tuple[int, Fraction]:
    """Return the first candidate that the attack cannot fool at once, and where it first can."""
    for row in candidates.tolist():
        limit = first_success(graph, images[row], label)
        if limit >= STURDY:
            return row, limit
    msg = f"no test image of digit {label} withstands the attack up to {float(STURDY)}"
    raise ValueError(msg)


def first_success(graph: Graph, image: Array, label: int) -> Fraction:
    """Return the smallest multiple of ``FINEST`` at which the attack finds another digit."""
    epsilon = FINEST
    while not attack(graph, image, label, float(epsilon)):
        epsilon += FINEST
    return epsilon


def attack(graph: Graph, image: Array, label: int, epsilon: float) -> bool:
    """Return whether signed gradient steps from random starts reach another digit."""
    rng = np.random.default_rng(SEED)
    lower, upper = np.clip(image - epsilon, 0, 1), np.clip(image + epsilon, 0, 1)
    layers = [node.operator for node in graph.nodes if isinstance(node.operator, Affine)]
    weights = [layer.weights[0].approximate for layer in layers]
    biases = [layer.bias.approximate for layer in layers]
    for other in range(10):
        points = rng.uniform(lower, upper, (10, len(image)))
        for step in range(0 if other == label else 30):
            values, masks = points, []
            for weight, bias in zip(weights, biases, strict=True):
                scores = values @ weight.T + bias
                masks.append(scores > 0)
                values = np.maximum(scores, 0)
            if np.any(scores[:, other] >= scores[:, label]):
                return True
            gradient = np.tile(weights[-1][other] - weights[-1][label], (len(points), 1))
            for weight, mask in zip(weights[-2::-1], masks[-2::-1], strict=True):
                gradient = (gradient * mask) @ weight
            length = max(0.4 * (1 - step / 30), 0.02)
            points = np.clip(points + length * (upper - lower) * np.sign(gradient), lower, upper)
    return False


if __name__ == "__main__":
    main()
