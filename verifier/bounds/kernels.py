# SPDX-License-Identifier: Apache-2.0
"""The bounds of ``intersection`` and ``backward`` as compiled loops, one region at a time.

Then only *live* neurons count: one that is inactive in the region is exactly 0 there and drops out
of every product, with its row. On ACAS Xu, where most neurons are decided in most regions, that
takes a small part of the time of matrix products (ADR-0010, ``python -m benchmarks.bounding``). But
loading a compiler takes half a second, so small work does not come here. Results differ in rounding
only; both ways meet the same exact oracles.

Functions are inlined, and inner loops read local arrays: a call, or a view of an array, costs numba
two atomic counts of references for each array, which is as much as a row of arithmetic.

Numba keeps compiled code on disk, beside this file or in the user's cache; where it can write to
neither, each process compiles anew. It compiles without fast-math: NaN and infinity keep their
meaning, and comparisons are written so that NaN, which overflow leaves behind, loses: it never
tightens a bound (``max`` and ``min`` keep their first argument unless the second is better), it
leaves a phase open, and a bound whose terms it enters is given up.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.linalg import cython_blas  # noqa: F401  (What numba makes of np.dot.)

from verifier.bounds import kernel_data, layers
from verifier.bounds.kernel_data import (
    Array,
    Chosen,
    Flags,
    Forms,
    Indices,
    Network,
    Regions,
    Signs,
    Workspace,
)

# Compiled code on disk keeps the constants and the order of fields that it was compiled with until
# *this* file changes, so they are written down here once more.
UNIT, TINY, HUGE = 2.0**-53, 2.0**-900, 2.0**1000
NETWORK = "place edges source matrix weights transposed bias error"
REGIONS = "box_lower box_upper lower upper"
LINES = "alpha slope offset mass beta gap"
STATE = f"middle half magnitude {LINES} live lives compact rows used constant terms scale"
FIELDS = [names.split() for names in (NETWORK, REGIONS, STATE)]
if (UNIT, TINY, HUGE, FIELDS) != (layers.UNIT, layers.TINY, layers.HUGE, kernel_data.FIELDS):
    message = "kernels.py was written for other constants or fields: bring it up to date"
    raise ImportError(message)


def _can_be_kept() -> bool:
    """Tell whether there is a place on disk for compiled code."""
    try:
        njit(cache=True)(_can_be_kept)
    except RuntimeError:
        return False
    return True


compiled = njit(cache=_can_be_kept(), nogil=True, error_model="numpy")
inner = njit(nogil=True, error_model="numpy", inline="always")


@inner
def relax(lower: float, upper: float) -> tuple[float, float, float]:
    """Return slope of the lower line, slope and constant of the upper line of one ReLU.

    For *any* slope ``s`` in [0, 1], ``y <= s z + t`` is valid where it is valid at both ends, that
    is for ``t >= max(-s l, (1 - s) u)``. So a rounded slope costs nothing but that maximum.
    """
    if lower >= 0.0:
        return 1.0, 1.0, 0.0
    if upper <= 0.0:
        return 0.0, 0.0, 0.0
    slope = min(max(upper / (upper - lower), 0.0), 1.0)
    offset = max(-slope * lower, (1.0 - slope) * upper)
    return (1.0 if upper > -lower else 0.0), slope, offset * (1.0 + 8.0 * UNIT) + TINY


@inner
def set_box(work: Workspace, lower: Array, upper: Array) -> None:
    """Note the intervals of the inputs."""
    for i in range(len(lower)):
        half = (upper[i] - lower[i]) / 2
        work.half[i], work.middle[i] = half, lower[i] + half
        work.magnitude[i] = max(abs(lower[i]), abs(upper[i])) + TINY


@inner
def set_source(work: Workspace, first: int, lower: Array, upper: Array) -> None:
    """Note the intervals of postactivations, whose entries start at ``first``."""
    for i in range(len(lower)):
        low, high = max(lower[i], 0.0), max(upper[i], 0.0)
        half = (high - low) / 2
        work.half[first + i], work.middle[first + i] = half, low + half
        work.magnitude[first + i] = high + TINY


@inner
def interval_layer(net: Network, work: Workspace, layer: int) -> tuple[Array, Array]:
    """Bound a layer by sending each term to the end of its interval that the sign prefers.

    Layers before it are ready for substitution.
    """
    first = net.place[layer + 1]
    width = net.place[layer + 2] - first
    middle, half, magnitude, transposed = work.middle, work.half, work.magnitude, net.transposed
    centre, radius, terms = np.empty(width), np.zeros(width), np.empty(width)
    for i in range(width):
        centre[i] = net.bias[first - net.place[1] + i]
        terms[i] = abs(centre[i]) + TINY
    for edge in range(net.edges[layer], net.edges[layer + 1]):
        source = net.source[edge]
        for place in range(work.lives[source]):
            j = work.live[source, place]
            entry, start = net.place[source] + j, net.matrix[edge] + j * width
            column = transposed[start : start + width]
            for i in range(width):
                weight = column[i]
                absolute = abs(weight) + TINY
                centre[i] += middle[entry] * weight
                radius[i] += half[entry] * absolute
                terms[i] += magnitude[entry] * absolute
    # |centre| and radius are both at most the terms, so this covers every rounding above.
    for i in range(width):
        reach = radius[i] + (net.error * terms[i] + TINY)
        centre[i], radius[i] = centre[i] - reach, centre[i] + reach
    return centre, radius


@inner
def admit_layer(net: Network, work: Workspace, layer: int, region: Regions, chosen: Chosen) -> None:
    """Make a layer ready for substitution: its relaxation, its live neurons, their weights.

    Layers before it are ready. Neurons with mass on a literal are live even where inactive.
    """
    first = net.place[layer + 1] - net.place[1]
    live, count = work.live[layer + 1], 0
    for i in range(net.place[layer + 2] - net.place[layer + 1]):
        n = first + i
        low, high = region.lower[n], region.upper[n]
        work.alpha[n], work.slope[n], work.offset[n] = relax(low, high)
        work.mass[n], work.beta[n] = 0.0, 0.0
        if len(chosen[0]) > 0:
            work.mass[n], work.beta[n] = chosen[1][n], chosen[2][n]
            if not (low >= 0.0 or high <= 0.0):
                work.alpha[n] = chosen[0][n]
        is_inactive = high <= 0.0 and not low >= 0.0
        if not is_inactive or work.beta[n] != 0.0:
            live[count] = i
            count += 1
    work.lives[layer + 1] = count
    for edge in range(net.edges[layer], net.edges[layer + 1]):
        source = net.source[edge]
        width, before = net.place[source + 1] - net.place[source], work.live[source]
        start, compact = net.matrix[edge], work.compact[edge]
        for q in range(work.lives[source]):
            for p in range(count):
                compact[q * count + p] = net.weights[start + live[p] * width + before[q]]


@inner
def rows_of(work: Workspace, source: int, rows: int) -> Array:
    """Return coefficients on live entries of a source, shape (entries, rows).

    An entry's coefficients, one for each row, lie side by side, so its line is applied to all of
    them by vector instructions.
    """
    entries = work.lives[source]
    return work.rows[source, : entries * rows].reshape((entries, rows))


@inner
def substitute(net: Network, work: Workspace, rows: int, last: int) -> None:
    """Replace, from source ``last`` to the first, each postactivation by what its layer reads.

    Layers up to there are ready. Of the first row, what each upper line costs it is noted.
    """
    constant, terms = work.constant, work.terms
    for source in range(last, 0, -1):
        first, live, count = net.place[source], work.live[source], work.lives[source]
        coefficients = rows_of(work, source, rows)
        if not work.used[source]:
            coefficients[:] = 0.0
        for place in range(count):
            n, scale = first - net.place[1] + live[place], work.scale[first + live[place]]
            alpha, slope, offset = work.alpha[n], work.slope[n], work.offset[n]
            mass, beta, bias = work.mass[n], work.beta[n], net.bias[n]
            work.gap[n] = max(-coefficients[place, 0], 0.0, mass) * offset
            for row in range(rows):
                coefficient = coefficients[place, row]
                above = max(-coefficient, 0.0, mass)
                below = coefficient + above
                on_z = alpha * below - slope * above - beta
                constant[row] += on_z * bias - above * offset
                terms[row] += (below + above + abs(beta) + TINY) * scale + above * offset
                coefficients[place, row] = on_z
        for edge in range(net.edges[source - 1], net.edges[source]):
            target = net.source[edge]
            columns, found = work.lives[target], rows_of(work, target, rows)
            matrix = work.compact[edge, : columns * count].reshape((columns, count))
            if count > 0 and columns > 0:
                add_product(matrix, coefficients, found, work.used[target])
                work.used[target] = True


@inner
def add_product(left: Array, right: Array, found: Array, is_used: bool) -> None:
    """Add a product of matrices to what was found so far, if anything was."""
    if is_used:
        product = np.empty(found.shape)
        np.dot(left, right, product)
        found += product
    else:
        np.dot(left, right, found)


@inner
def concretize(net: Network, work: Workspace, rows: int, region: Regions) -> None:
    """Turn constants into least values over the box, slacks subtracted, and terms into slacks.

    Every term so far, partial sums included, is at most ``terms``. So where that is no more than
    ``HUGE`` nothing has overflowed, and elsewhere, NaN included, there is no bound.
    """
    value, terms, slopes = work.constant, work.terms, rows_of(work, 0, rows)
    for i in range(net.place[1] if work.used[0] else 0):
        low, high = region.box_lower[i], region.box_upper[i]
        most = max(abs(low), abs(high))
        for row in range(rows):
            slope = slopes[i, row]
            value[row] += slope * (low if slope >= 0.0 else high)
            terms[row] += (abs(slope) + TINY) * most
    for row in range(rows):
        slack = net.error * terms[row] + TINY
        value[row] = value[row] - slack if terms[row] <= HUGE else -np.inf
        terms[row] = slack


@inner
def start_neuron_rows(net: Network, work: Workspace, layer: int, neurons: Indices) -> None:
    """Set the rows to ``z`` of some neurons of a layer, then to ``-z`` of the same."""
    first = net.place[layer + 1] - net.place[1]
    half = len(neurons)
    work.used[:] = False
    terms, scale, transposed = work.terms, work.scale, net.transposed
    for p in range(half):
        bias = net.bias[first + neurons[p]]
        work.constant[p], work.constant[half + p] = bias, -bias
        work.terms[p] = abs(bias) + TINY
    for edge in range(net.edges[layer], net.edges[layer + 1]):
        source = net.source[edge]
        start, live = net.place[source], work.live[source]
        work.used[source] = True
        height, found = net.place[layer + 2] - net.place[layer + 1], rows_of(work, source, 2 * half)
        for j in range(work.lives[source]):
            column = net.matrix[edge] + live[j] * height
            for p in range(half):
                weight = transposed[column + neurons[p]]
                found[j, p], found[j, half + p] = weight, -weight
                terms[p] += (abs(weight) + TINY) * scale[start + live[j]]
    for p in range(half):
        work.terms[half + p] = work.terms[p]


@inner
def cut(low: float, high: float, phase: int) -> tuple[float, float, bool]:
    """Cut bounds to a phase literal; where nothing is left, return (0, 0) and say so.

    A region with such a neuron has no point, so any bounds are sound there.
    """
    if phase > 0 and low < 0.0:
        low = 0.0
    if phase < 0 and high > 0.0:
        high = 0.0
    return (0.0, 0.0, True) if low > high else (low, high, False)


@inner
def bound_layer(net: Network, work: Workspace, layer: int, region: Regions, phases: Signs) -> bool:
    """Tighten bounds of a layer, in place; return whether the region is empty."""
    inputs, first = net.place[1], net.place[layer + 1]
    lower, upper = region.lower, region.upper
    least, most = interval_layer(net, work, layer)
    unstable = np.empty(len(least), dtype=np.int64)
    count, empty = 0, False
    for i in range(len(least)):
        n = first - inputs + i
        low, high = max(lower[n], least[i]), min(upper[n], most[i])
        lower[n], upper[n], is_crossed = cut(low, high, phases[n])
        empty |= is_crossed
        if not (lower[n] >= 0.0 or upper[n] <= 0.0):
            unstable[count] = i
            count += 1
    if layer == 0 or count == 0:
        return empty  # The first layer's intervals are exact: no relaxation to improve on.
    neurons = unstable[:count]
    start_neuron_rows(net, work, layer, neurons)
    substitute(net, work, 2 * count, layer)
    concretize(net, work, 2 * count, region)
    found = work.constant
    for p in range(count):
        n = first - inputs + neurons[p]
        low, high = max(lower[n], found[p]), min(upper[n], -found[count + p])
        lower[n], upper[n], is_crossed = cut(low, high, phases[n])
        empty |= is_crossed
    return empty


@inner
def inherit(regions: Regions, empty: Flags, member: int, above: int) -> None:
    """Start a member from the bounds of another, cut with its own ends of the inputs.

    Where nothing is left, it is empty, and keeps the other's ends: any bounds are sound there.
    """
    lower, upper = regions.box_lower, regions.box_upper
    for i in range(lower.shape[1]):
        low, high = max(lower[above, i], lower[member, i]), min(upper[above, i], upper[member, i])
        if low > high:
            low, high, empty[member] = lower[above, i], upper[above, i], True
        lower[member, i], upper[member, i] = low, high
    regions.lower[member], regions.upper[member] = regions.lower[above], regions.upper[above]
    empty[member] |= empty[above]


@compiled
def bound_regions(
    net: Network, regions: Regions, phases: Signs, empty: Flags, above: Indices, work: Workspace
) -> None:
    """Tighten bounds of all neurons of regions, in place, and note which regions are empty.

    ``above`` names for each the one, earlier in the batch, that it starts from; -1 stands for its
    own bounds, and a region that names itself is left as it is.
    """
    inputs, layers = net.place[1], len(net.edges) - 1
    nothing = np.empty(0)
    for member in range(len(empty)):
        if above[member] == member:
            continue
        if above[member] >= 0:
            inherit(regions, empty, member, above[member])
        region = one_region(regions, member)
        set_box(work, region.box_lower, region.box_upper)
        for layer in range(layers):
            empty[member] |= bound_layer(net, work, layer, region, phases[member])
            first, end = net.place[layer + 1] - inputs, net.place[layer + 2] - inputs
            set_source(work, first + inputs, region.lower[first:end], region.upper[first:end])
            admit_layer(net, work, layer, region, (nothing, nothing, nothing))


@inner
def one_region(regions: Regions, member: int) -> Regions:
    """Return a member of a batch."""
    box = regions.box_lower[member], regions.box_upper[member]
    return Regions(box[0], box[1], regions.lower[member], regions.upper[member])


@compiled
def lower_bounds(
    net: Network, regions: Regions, owner: Indices, rows: Forms, chosen: Chosen, work: Workspace
) -> tuple[Array, Array, Array, Array]:
    """Bound rows from below, each over the region ``owner`` with multipliers of its own.

    Returns bounds, slacks, coefficients on the inputs, and what each upper line costs.
    """
    value, slack = np.empty(len(owner)), np.empty(len(owner))
    slopes, gaps = np.zeros((len(owner), net.place[1])), np.zeros_like(chosen[0])
    for row in range(len(owner)):
        region = one_region(regions, owner[row])
        multipliers = (chosen[0][row], chosen[1][row], chosen[2][row])
        for layer in range(len(net.edges) - 1):
            admit_layer(net, work, layer, region, multipliers)
        start_row(work, net.place, rows[0][row])
        work.constant[0] = rows[1][row]
        work.terms[0] += rows[2][row]
        work.gap[:] = 0.0
        substitute(net, work, 1, len(net.edges) - 1)
        gaps[row] = work.gap
        concretize(net, work, 1, region)
        value[row], slack[row] = work.constant[0], work.terms[0]
        if work.used[0]:
            slopes[row] = work.rows[0, : net.place[1]]
    return value, slack, slopes, gaps


@inner
def start_row(work: Workspace, place: Indices, coefficients: Array) -> None:
    """Set the first row to a linear form of a source vector, without its constant."""
    terms = 0.0
    for source in range(len(work.lives)):
        start = place[source]
        work.used[source] = False
        for j in range(work.lives[source]):
            entry = start + work.live[source, j]
            work.rows[source, j] = coefficients[entry]
            work.used[source] |= coefficients[entry] != 0.0
            terms += (abs(coefficients[entry]) + TINY) * work.scale[entry]
    work.terms[0] = terms
