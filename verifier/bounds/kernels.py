# SPDX-License-Identifier: Apache-2.0
"""The bounds of ``intersection`` and ``backward`` as compiled loops, one region at a time.

Then only *live* neurons count: one that is inactive in the region is exactly 0 there and drops out
of every product, with its row. On ACAS Xu, where most neurons are decided in most regions, that
takes a sixth to an eighth of the time of matrix products (``python -m benchmarks.bounding``). But
loading a compiler takes half a second, so small work does not come here. Results differ in rounding
only; both ways meet the same exact oracles.

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
STATE = "middle half magnitude alpha slope offset live lives compact rows used constant terms scale"
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
inner = njit(nogil=True, error_model="numpy")


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
def add_columns(
    centre: Array, radius: Array, terms: Array, column: Array, value: tuple[float, float, float]
) -> None:
    """Add one source entry's share to the intervals of a layer."""
    middle, half, magnitude = value
    for i in range(len(column)):
        absolute = abs(column[i]) + TINY
        centre[i] += middle * column[i]
        radius[i] += half * absolute
        terms[i] += magnitude * absolute


@inner
def interval_layer(net: Network, work: Workspace, layer: int) -> tuple[Array, Array]:
    """Bound a layer by sending each term to the end of its interval that the sign prefers."""
    first = net.place[layer + 1]
    width = net.place[layer + 2] - first
    centre, radius, terms = np.empty(width), np.empty(width), np.empty(width)
    for i in range(width):
        bias = net.bias[first - net.place[1] + i]
        centre[i], radius[i], terms[i] = bias, 0.0, abs(bias) + TINY
    for edge in range(net.edges[layer], net.edges[layer + 1]):
        start = net.place[net.source[edge]]
        for j in range(net.place[net.source[edge] + 1] - start):
            value = (work.middle[start + j], work.half[start + j], work.magnitude[start + j])
            column = net.transposed[net.matrix[edge] + j * width :][:width]
            add_columns(centre, radius, terms, column, value)
    # |centre| and radius are both at most the terms, so this covers every rounding above.
    for i in range(width):
        spread = radius[i] + (net.error * terms[i] + TINY)
        centre[i], radius[i] = centre[i] - spread, centre[i] + spread
    return centre, radius


@inner
def admit_layer(net: Network, work: Workspace, layer: int, region: Regions, chosen: Chosen) -> None:
    """Make a layer ready for substitution: its relaxation, its live neurons, their weights.

    Layers before it are ready. Neurons with mass on a literal are live even where inactive.
    """
    alpha, _, beta = chosen
    first = net.place[layer + 1] - net.place[1]
    live, count = work.live[layer + 1], 0
    for i in range(net.place[layer + 2] - net.place[layer + 1]):
        n = first + i
        low, high = region.lower[n], region.upper[n]
        work.alpha[n], work.slope[n], work.offset[n] = relax(low, high)
        if len(alpha) > 0 and not (low >= 0.0 or high <= 0.0):
            work.alpha[n] = alpha[n]
        is_inactive = high <= 0.0 and not low >= 0.0
        if not is_inactive or (len(beta) > 0 and beta[n] != 0.0):
            live[count] = i
            count += 1
    work.lives[layer + 1] = count
    for edge in range(net.edges[layer], net.edges[layer + 1]):
        source = net.source[edge]
        width = net.place[source + 1] - net.place[source]
        for p in range(count):
            row = net.weights[net.matrix[edge] + live[p] * width :][:width]
            for q in range(work.lives[source]):
                work.compact[edge, p * work.lives[source] + q] = row[work.live[source, q]]


@inner
def substitute(net: Network, work: Workspace, rows: int, chosen: Chosen, gaps: Array) -> None:
    """Replace, from the last layer to the first, each postactivation by what its layer reads.

    All layers that the rows read are ready. ``gaps`` takes what each neuron's upper line costs.
    """
    for source in range(len(work.lives) - 1, 0, -1):
        if not work.used[source] and len(chosen[0]) == 0:
            continue
        if not work.used[source]:
            work.rows[source, :rows] = 0.0
        for row in range(rows):
            relax_row(net, work, source, row, chosen, gaps)
        for edge in range(net.edges[source - 1], net.edges[source]):
            push_rows(net, work, source, edge, rows)


@inner
def relax_row(
    net: Network, work: Workspace, source: int, row: int, chosen: Chosen, gaps: Array
) -> None:
    """Turn a row's coefficients on postactivations into those on preactivations."""
    first, inputs = net.place[source], net.place[1]
    _, q, beta = chosen
    live, coefficients = work.live[source], work.rows[source, row]
    constant, terms = work.constant[row], work.terms[row]
    for place in range(work.lives[source]):
        n = first - inputs + live[place]
        coefficient = coefficients[place]
        above = max(-coefficient, 0.0)
        mass = 0.0
        if len(q) > 0:
            above, mass = max(above, q[n]), beta[n]
        below = coefficient + above
        gap = above * work.offset[n]
        if len(gaps) > 0:
            gaps[n] = gap
        on_z = work.alpha[n] * below - work.slope[n] * above - mass
        constant += on_z * net.bias[n] - gap
        terms += (below + above + abs(mass) + TINY) * work.scale[first + live[place]] + gap
        coefficients[place] = on_z
    work.constant[row], work.terms[row] = constant, terms


@inner
def push_rows(net: Network, work: Workspace, source: int, edge: int, rows: int) -> None:
    """Add what coefficients on preactivations are on one of the sources that they read."""
    count, target = work.lives[source], net.source[edge]
    columns = work.lives[target]
    if count == 0 or columns == 0:
        return
    left, product = np.empty((rows, count)), np.empty((rows, columns))
    for row in range(rows):
        for p in range(count):
            left[row, p] = work.rows[source, row, p]
    np.dot(left, work.compact[edge, : count * columns].reshape((count, columns)), product)
    for row in range(rows):
        for q in range(columns):
            before = work.rows[target, row, q] if work.used[target] else 0.0
            work.rows[target, row, q] = before + product[row, q]
    work.used[target] = True


@inner
def concretize(net: Network, work: Workspace, row: int, region: Regions) -> tuple[float, float]:
    """Return the least value of a row over the box, slack subtracted, and the slack.

    Every term so far, partial sums included, is at most ``terms``. So where that is no more than
    ``HUGE`` nothing has overflowed, and elsewhere, NaN included, there is no bound.
    """
    value, terms = work.constant[row], work.terms[row]
    if work.used[0]:
        for i in range(net.place[1]):
            slope = work.rows[0, row, i]
            low, high = region.box_lower[i], region.box_upper[i]
            value += slope * (low if slope >= 0.0 else high)
            terms += (abs(slope) + TINY) * max(abs(low), abs(high))
    slack = net.error * terms + TINY
    return (value - slack if terms <= HUGE else -np.inf), slack


@inner
def start_neuron_rows(net: Network, work: Workspace, layer: int, neurons: Indices) -> None:
    """Set the rows to ``z`` of some neurons of a layer, then to ``-z`` of the same."""
    first = net.place[layer + 1] - net.place[1]
    half = len(neurons)
    work.used[:] = False
    for p in range(half):
        bias = net.bias[first + neurons[p]]
        work.constant[p], work.constant[half + p] = bias, -bias
        work.terms[p] = abs(bias) + TINY
    for edge in range(net.edges[layer], net.edges[layer + 1]):
        source = net.source[edge]
        start, live = net.place[source], work.live[source]
        width = net.place[source + 1] - start
        work.used[source] = True
        for p in range(half):
            row = net.weights[net.matrix[edge] + neurons[p] * width :][:width]
            terms = 0.0
            for j in range(work.lives[source]):
                weight = row[live[j]]
                work.rows[source, p, j], work.rows[source, half + p, j] = weight, -weight
                terms += (abs(weight) + TINY) * work.scale[start + live[j]]
            work.terms[p] += terms
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
    nothing = np.empty(0)
    substitute(net, work, 2 * count, (nothing, nothing, nothing), nothing)
    for p in range(count):
        n = first - inputs + neurons[p]
        low, _ = concretize(net, work, p, region)
        minus_high, _ = concretize(net, work, count + p, region)
        low, high = max(lower[n], low), min(upper[n], -minus_high)
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
        substitute(net, work, 1, multipliers, gaps[row])
        value[row], slack[row] = concretize(net, work, 0, region)
        if work.used[0]:
            slopes[row] = work.rows[0, 0, : net.place[1]]
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
            work.rows[source, 0, j] = coefficients[entry]
            work.used[source] |= coefficients[entry] != 0.0
            terms += (abs(coefficients[entry]) + TINY) * work.scale[entry]
    work.terms[0] = terms
