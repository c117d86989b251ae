# SPDX-License-Identifier: Apache-2.0
"""A property in words: for which inputs, and what of the output.

The words are a summary for people. A number is given exactly where that takes few digits, else
rounded and marked so; what is long is cut and says so. The text in VNN-LIB is what was verified.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.spec.property import Case, InputBox, LinearConstraint, Property

MOST_INPUTS, MOST_SETS, MOST_LINES = 12, 4, 12
_MOST_DIGITS, _ROUNDED_DIGITS = 17, 12
Terms = Sequence[tuple[str, Fraction]]


def in_words(prop: Property) -> tuple[str, ...]:
    """Return a property in sentences: inputs and demand, for each of its input sets."""
    if not prop.cases:
        return ("The text calls no output unsafe, so the property holds for every input.",)
    boxes = {id(case.box): case.box for case in prop.cases}
    sentences: list[str] = []
    for number, (key, box) in enumerate(boxes.items()):
        if number == MOST_SETS:
            sentences.append(f"… and so on: {len(boxes) - MOST_SETS} more input sets.")
            break
        cases = [case for case in prop.cases if id(case.box) == key]
        sentences += [f"For all inputs with {_inputs(box)}:", _demand(cases, prop.output_width)]
    return tuple(sentences)


def decimal(value: Fraction) -> str:
    """Return a number in decimals, with a sign before it where it had to be rounded."""
    exactly = f"{Decimal(value.numerator) / Decimal(value.denominator):.{_MOST_DIGITS}g}"
    is_exact = Fraction(exactly) == value
    digits = exactly if is_exact else f"{Decimal(exactly):.{_ROUNDED_DIGITS}g}"
    is_moderate = not value or Fraction(1, 10**6) <= abs(value) < 10**15
    normal = Decimal(digits).normalize()
    plain = f"{normal:f}" if is_moderate else f"{normal:e}"
    return plain if is_exact else f"≈ {plain}"


def _inputs(box: InputBox) -> str:
    sides = list(zip(box.lower, box.upper, strict=True))
    if len(sides) <= MOST_INPUTS:
        return ", ".join(_side(f"X_{i}", low, high) for i, (low, high) in enumerate(sides))
    widths = sorted(high - low for low, high in sides)
    fixed = sum(1 for width in widths if not width)
    least, most = decimal(min(box.lower)), decimal(max(box.upper))
    text = (
        f"each of the {len(sides)} values X_0 to X_{len(sides) - 1} in an interval of its own; "
        f"all intervals lie in [{least}, {most}], the narrowest is {decimal(widths[0])} wide, "
        f"the median {decimal(widths[len(widths) // 2])}, the widest {decimal(widths[-1])}"
    )
    return f"{text}; {fixed} values are fixed" if fixed else text


def _side(name: str, low: Fraction, high: Fraction) -> str:
    return (
        f"{name} = {decimal(low)}" if low == high else f"{decimal(low)} ≤ {name} ≤ {decimal(high)}"
    )


def _demand(cases: Sequence[Case], outputs: int) -> str:
    if any(not case.constraints for case in cases):
        return "every such input is unsafe, whatever the output: the property holds for none."
    for known in (_never_extreme, _always_extreme):
        text = known(cases, outputs)
        if text:
            return text
    if all(len(case.constraints) == 1 for case in cases):
        safe = [_negated(case.constraints[0]) for case in cases]
        return f"{_cut(safe, ', and ')}."
    unsafe = [" and ".join(_stated(each) for each in case.constraints) for case in cases]
    return f"it never happens that {_cut(unsafe, '; nor that ')}."


def _never_extreme(cases: Sequence[Case], outputs: int) -> str:
    """Recognise one case in which an output is compared with every other."""
    if len(cases) != 1:
        return ""
    pairs = _pairs(cases[0].constraints)
    return _extreme(pairs, outputs, lambda word: f"is never the {word}, not even jointly", "")


def _always_extreme(cases: Sequence[Case], outputs: int) -> str:
    """Recognise a case for each other output that an output is compared with."""
    if any(len(case.constraints) != 1 for case in cases):
        return ""
    # It is violated where some other output is as large, so what is unsafe is the opposite.
    pairs = [(k, j) for j, k in _pairs([case.constraints[0] for case in cases])]
    return _extreme(
        pairs, outputs, lambda word: f"is the {word} of all", ", and no other equals it"
    )


def _extreme(
    pairs: Sequence[tuple[int, int]], outputs: int, say: Callable[[str], str], more: str
) -> str:
    """Say what pairs (smaller, larger) say where they compare one output with all others."""
    for side, word in ((1, "largest"), (0, "smallest")):
        one = {pair[side] for pair in pairs}
        others = {pair[1 - side] for pair in pairs}
        if outputs > 2 and len(one) == 1 and others == set(range(outputs)) - one:
            return f"output Y_{one.pop()} {say(word)}{more}."
    return ""


def _pairs(constraints: Sequence[LinearConstraint]) -> list[tuple[int, int]]:
    """Return (j, k) for each constraint Y_j <= Y_k; nothing where one says something else."""
    pairs = []
    for each in constraints:
        signs = {sign: j for j, sign in each.outputs}
        is_pair = not each.inputs and not each.bound and not each.strict and len(each.outputs) == 2
        if not is_pair or signs.keys() != {1, -1}:
            return []
        pairs.append((signs[Fraction(1)], signs[Fraction(-1)]))
    return pairs


def _stated(constraint: LinearConstraint) -> str:
    return _compared(constraint, ("<", ">") if constraint.strict else ("≤", "≥"))


def _negated(constraint: LinearConstraint) -> str:
    return _compared(constraint, ("≥", "≤") if constraint.strict else (">", "<"))


def _compared(constraint: LinearConstraint, signs: tuple[str, str]) -> str:
    """Return a comparison; ``signs`` are the sign and the one with both sides turned about."""
    terms = [(f"Y_{j}", c) for j, c in constraint.outputs]
    terms += [(f"X_{i}", c) for i, c in constraint.inputs]
    bound, sign = constraint.bound, signs[0]
    if terms and all(c < 0 for _, c in terms):
        terms, bound, sign = [(name, -c) for name, c in terms], -bound, signs[1]
    left = [(name, c) for name, c in terms if c > 0]
    right = [(name, -c) for name, c in terms if c < 0]
    tail = "" if not bound and right else decimal(bound)
    return f"{_sum(left) or '0'} {sign} {' + '.join(part for part in (_sum(right), tail) if part)}"


def _sum(terms: Terms) -> str:
    parts = [name if c == 1 else f"{decimal(c)} · {name}" for name, c in terms[:MOST_LINES]]
    parts += [f"… ({len(terms) - MOST_LINES} more terms)"] if len(terms) > MOST_LINES else []
    return " + ".join(parts)


def _cut(parts: Sequence[str], between: str) -> str:
    distinct = [part for part, _ in groupby(parts)]
    text = between.join(distinct[:MOST_LINES])
    left = len(distinct) - MOST_LINES
    return f"{text} … and {left} more" if left > 0 else text
