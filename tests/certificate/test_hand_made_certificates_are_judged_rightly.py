# SPDX-License-Identifier: Apache-2.0
"""Each rule of the format, once kept and once broken, on a network that fits in the head."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from tests.certificate.tiny import (
    at_least,
    box,
    check,
    child,
    core,
    dense,
    edited,
    half,
    head,
    network,
    one_case,
    root,
    split_on_a_phase,
    split_on_the_input,
    touching,
)
from verifier.certificate.checker import CheckReport, check_certificate
from verifier.certificate.walk import MOST_LITERALS
from verifier.ir.fingerprint import fingerprint
from verifier.ir.graph import Graph, Node
from verifier.ir.operators import Input, Relu
from verifier.spec.property import Case, InputBox, LinearConstraint, Property
from verifier.verdict import Verdict


def test_a_split_on_a_phase_is_accepted() -> None:
    report = check(split_on_a_phase())

    assert report == CheckReport(True, Verdict.HOLDS, "", regions=3, cores=2, clauses=1)


def test_a_split_on_the_input_is_accepted() -> None:
    assert check(split_on_the_input()).accepted


def test_a_region_of_several_literals_speaks_of_all_of_them() -> None:
    # Nothing is said of neuron 0 active with neuron 1 inactive until the last region is there.
    gap = split_on_a_phase() | {
        "atoms": [["case", 0], ["phase", 0, 0], ["phase", 0, 1]],
        "regions": [root(), child(2) | {"literals": [2, 3]}, child(-2)],
    }
    closed = edited(gap, "regions", [*gap["regions"], child(2) | {"literals": [2, -3]}])
    closed = edited(closed, "cores", [core(1), core(2), core(3, masses=[[0, 1, 1]])])

    assert check(gap).reason == "clause 0: it does not follow by unit propagation"
    assert check(closed).accepted


def test_lists_may_be_tuples_and_numbers_may_be_fractions() -> None:
    document = edited(split_on_the_input(), "atoms.1.2", "0/7")

    assert check(edited(document, "clauses", ((),))).accepted


def test_regions_that_no_core_needs_are_not_computed() -> None:
    document = split_on_a_phase()
    document["regions"] += [child(2, parent=2), child(-2, parent=2)]

    assert check(document).regions == 3


def test_progress_ends_where_it_said_it_would() -> None:
    told: list[tuple[int, int]] = []

    check_certificate(
        split_on_a_phase(), network(), half(), lambda done, total: told.append((done, total))
    )

    assert told == [(1, 6), (3, 6), (5, 6), (6, 6)]


def test_zero_slack_refutes_a_strict_row_only() -> None:
    document, strict = touching()

    assert check(document, strict).accepted
    lenient = document | {"property": split_on_a_phase()["property"]}
    assert "core 0" in check(lenient).reason


def test_a_strict_row_of_weight_zero_does_not_help() -> None:
    rows = (at_least(Fraction(1, 2)), at_least(5, strict=True))
    prop = one_case(*rows)
    document = head(prop) | {
        "atoms": [["case", 0]],
        "regions": [root()],
        "cores": [core(0, rows=[1, 0], neurons=[[0, 1, 0.5, 0]])],
        "clauses": [[]],
    }

    assert not check(document, prop).accepted
    assert check(edited(document, "cores.0.rows", [0, 1]), prop).accepted


def test_masses_use_the_phases_of_the_path() -> None:
    # x <= -1/2 contradicts z0 = x >= 0, and x >= 1/2 contradicts z0 <= 0: two cases, one each.
    cases = tuple(
        Case(box(), (LinearConstraint(((0, Fraction(sign)),), (), Fraction(-1, 2)),))
        for sign in (1, -1)
    )
    prop = Property(1, 1, cases)
    document = head(prop) | {
        "atoms": [["case", 0], ["case", 1], ["phase", 0, 0]],
        "regions": [root(), child(3), child(-3)],
        "cores": [
            core(1, case=0, masses=[[0, 0, 1]]),
            core(2, case=1, masses=[[0, 0, 1]]),
        ],
        "clauses": [[]],
    }

    report = check(document, prop)

    # Both cores hold; the other two combinations are solvable, so no refutation can exist.
    assert (report.cores, report.reason) == (2, "clause 0: it does not follow by unit propagation")
    swapped = edited(document, "cores.0.case", 1)
    assert "core 0" in check(swapped, prop).reason
    assert "core 0" in check(edited(document, "cores.0.masses", []), prop).reason
    assert "core 1" in check(edited(document, "cores.1.case", 0), prop).reason


def test_a_region_knows_nothing_of_phases_beside_its_path() -> None:
    # With z0 = z1 = x: y <= x - x where both are active, but up to 1 where only z1 is known.
    document = split_on_a_phase() | {
        "atoms": [["case", 0], ["phase", 0, 0], ["phase", 0, 1]],
        "regions": [root(), child(2, alpha=(1,)), child(3)],
    }

    assert (
        check(document).reason
        == "core 1 (region 2, case 0): its multipliers do not refute the case"
    )


def test_literals_that_contradict_each_other_need_no_rows() -> None:
    # z0 = a + b - 1 and z1 = -a - b cannot both be active, but each can for itself.
    graph = Graph(
        (
            Node("x", Input(), (), 2),
            Node("hidden", dense([[1, 1], [-1, -1]], [-1, 0]), (0,), 2),
            Node("relu", Relu(), (1,), 2),
            Node("y", dense([[1, 1]], [0]), (2,), 1),
        )
    )
    square = InputBox((Fraction(-1),) * 2, (Fraction(1),) * 2)
    prop = Property(2, 1, (Case(square, (at_least(Fraction(4, 1)),)),))
    document = head(prop) | {
        "network": fingerprint(graph),
        "atoms": [["case", 0], ["phase", 0, 0], ["phase", 0, 1]],
        "regions": [root(), child(2), child(3, parent=1), child(-3, parent=1), child(-2)],
        "cores": [
            core(2, rows=[0], masses=[[0, 0, 1], [0, 1, 1]]),
            core(3),
            core(4),
        ],
        "clauses": [[-2], []],
    }

    assert check_certificate(document, graph, prop).accepted
    uneven = edited(document, "cores.0.masses.0.2", 0.25)
    assert "core 0" in check_certificate(uneven, graph, prop).reason


def test_an_empty_region_needs_no_multipliers() -> None:
    document = split_on_a_phase()
    document["atoms"] += [["at_most", 0, -2]]
    document["regions"] += [child(3), child(-3), child(2, parent=3)]
    empty = [{"region": region, "case": 0, "empty": True} for region in (3, 5)]

    assert check(document | {"cores": [*document["cores"], *empty]}).accepted
    wrong = {"region": 4, "case": 0, "empty": True}
    assert "not empty" in check(document | {"cores": [*document["cores"], wrong]}).reason


def test_a_region_is_empty_where_a_demanded_phase_is_impossible() -> None:
    prop = one_case(at_least(Fraction(1, 2)), inside=box(Fraction(1, 4), 1))
    document = split_on_a_phase() | head(prop)
    document["cores"][1] = {"region": 2, "case": 0, "empty": True}

    assert check(document, prop).accepted


def test_thresholds_of_one_input_are_known_to_be_in_order() -> None:
    # Regions x <= 0, and x >= -1/2: only with (x <= -1/2 implies x <= 0) do they cover all.
    document = split_on_the_input()
    document["atoms"] = [["case", 0], ["at_most", 0, 0], ["at_most", 0, -0.5]]
    document["regions"] = [root(), child(2), child(-3), child(-2, parent=2)]
    document["cores"] = [core(1), core(3)]

    assert check(document).accepted
    reordered = edited(document, "atoms.2.2", 0.5)
    assert check(reordered).reason == "clause 0: it does not follow by unit propagation"


def test_a_property_without_cases_holds_by_the_empty_clause() -> None:
    prop = Property(1, 1, ())
    document = head(prop) | {"atoms": [], "regions": [], "cores": [], "clauses": [[]]}

    assert check(document, prop).accepted
    assert "clauses" in check(document | {"clauses": []}, prop).reason


def test_a_core_may_serve_another_case_with_the_same_box_only() -> None:
    prop = Property(
        1, 1, tuple(Case(box(-1, upper), (at_least(Fraction(1, 2)),)) for upper in (1, 1, 2))
    )
    document = split_on_a_phase() | head(prop)
    document["atoms"] = [["case", 0], ["phase", 0, 0], ["case", 1], ["case", 2]]
    document["cores"] += [core(1, case=1), core(2, case=1)]
    third = [root(2), child(2, (1,), parent=3), child(-2, (), parent=3)]
    full = document | {
        "regions": [*document["regions"], *third],
        "cores": [*document["cores"], core(4, case=2), core(5, case=2)],
        "clauses": [[-1], [-3], [-4], []],
    }

    assert check(full, prop).accepted
    assert "box" in check(edited(full, "cores.4.region", 1), prop).reason
    assert "case 1" in check(edited(full, "atoms.2", ["phase", 0, 1]), prop).reason


@pytest.mark.parametrize("refuted", [0, 1])
def test_every_case_has_to_be_refuted(refuted: int) -> None:
    prop = Property(1, 1, half().cases * 2)
    document = split_on_a_phase() | head(prop)
    document["atoms"] += [["case", 1]]
    document["cores"] = [core(1, case=refuted), core(2, case=refuted)]

    assert check(document, prop).reason == "clause 0: it does not follow by unit propagation"
    document["cores"] += [core(1, case=1 - refuted), core(2, case=1 - refuted)]
    assert check(document | {"clauses": [[-1], []]}, prop).accepted


VIOLATED = head(one_case(at_least(0)), "violated")


def test_a_violating_point_is_accepted() -> None:
    report = check(VIOLATED | {"point": ["1/3"]}, one_case(at_least(0)))

    assert report == CheckReport(True, Verdict.VIOLATED, "")


@pytest.mark.parametrize(
    "point", [["3/2"], [], ["0", "0"], "0", [float("nan")], [None], [True], ["0/0"], ["1.5"]]
)
def test_other_points_are_rejected(point: Any) -> None:
    assert not check(VIOLATED | {"point": point}, one_case(at_least(0))).accepted


def test_a_point_that_does_not_violate_is_rejected() -> None:
    prop = one_case(at_least(1))

    report = check(head(prop, "violated") | {"point": [0]}, prop)

    assert report == CheckReport(
        False, Verdict.UNKNOWN, "point: the property is not violated there"
    )


def test_a_property_of_another_width_is_rejected() -> None:
    prop = Property(2, 1, ())

    assert "inputs" in check(head(prop) | {"clauses": [[]]}, prop).reason


def test_a_path_longer_than_the_interpreters_stack_is_walked() -> None:
    document = split_on_a_phase()
    depth = 2000
    document["atoms"] += [["at_most", 0, f"{n}/{depth}"] for n in range(depth)]
    chain = [child(3 + n, parent=3 + n) for n in range(depth)]
    document["regions"] += [child(-2), *chain]
    document["cores"] += [core(3 + depth)]

    report = check(document)

    assert report.accepted
    assert report.regions == depth + 4


def test_a_path_beyond_the_limit_is_rejected() -> None:
    document = split_on_the_input()
    document["atoms"] += [["at_most", 0, f"-{n}"] for n in range(2, MOST_LITERALS + 3)]
    chain = [child(4 + n, parent=3 + n) for n in range(MOST_LITERALS)]
    document["regions"] += [child(3), *chain]
    document["cores"] += [core(3 + MOST_LITERALS)]

    assert f"more than {MOST_LITERALS} literals" in check(document).reason


def exact(region: int, *masses: list[Any], rows: tuple[int, ...] = (1,)) -> dict[str, Any]:
    return {"region": region, "case": 0, "exact": True, "rows": list(rows), "masses": [*masses]}


def exactly_zero(*, strict: bool = True) -> tuple[dict[str, Any], Property]:
    """Return a proof of ``y <= 0``: in either phase of neuron 0, one of the two is ``-y``."""
    prop = one_case(at_least(0, strict=strict))
    return head(prop) | {
        "atoms": [["case", 0], ["phase", 0, 0], ["phase", 0, 1]],
        "regions": [
            root(),
            child(2),
            child(-2),
            child(3, parent=1),
            child(-3, parent=1),
            child(3, parent=2),
            child(-3, parent=2),
        ],
        # Where the phases differ x is 0, which takes a mass on the phase that says so.
        "cores": [exact(3), exact(4, [0, 1, 1]), exact(5, [0, 1, 1]), exact(6)],
        "clauses": [[2, -1], []],
    }, prop


def test_rows_that_share_inputs_and_outputs_add_up() -> None:
    """``y >= 1/2 - x`` and ``y >= 1/2 + x`` together say ``y >= 1/2``, as no half allows."""
    rows = [
        LinearConstraint(((0, Fraction(slope)),), ((0, Fraction(-1)),), Fraction(-1, 2))
        for slope in (-1, 1)
    ]
    prop = one_case(*rows)
    cores = [exact(3, rows=(1, 1)), exact(4, [0, 1, 2], rows=(1, 1))]
    cores += [exact(5, [0, 1, 2], rows=(1, 1)), exact(6, rows=(1, 1))]
    document = exactly_zero()[0] | head(prop) | {"cores": cores}

    assert check(document, prop).accepted
    for n in (0, 3):
        for lone in ([1, 0], [0, 1]):
            report = check(edited(document, f"cores.{n}.rows", lone), prop)
            assert f"core {n}" in report.reason


def test_exact_cores_show_that_a_strict_bound_is_only_touched() -> None:
    document, prop = exactly_zero()

    assert check(document, prop).accepted
    assert "core 0" in check(*exactly_zero(strict=False)).reason


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("cores.0.region", 0, "core 0"),
        ("cores.0.rows", [0], "core 0"),
        ("cores.1.masses", [], "core 1"),
        ("cores.1.masses.0.2", "1/2", "core 1"),
        ("cores.1.masses.0.2", -1, "core 1"),
        ("cores.1.masses.0.1", 0, "core 1"),
        ("cores.2.masses", [[0, 0, 1]], "core 2"),
        ("cores.1.region", 1, "core 1"),
        ("cores.0.exact", 1, "core 0, exact"),
        ("cores.0.exact", False, "core 0, exact"),
        ("cores.0.empty", True, "core 0"),
        ("cores.0.neurons", [], "core 0"),
    ],
)
def test_exact_cores_that_do_not_refute_are_rejected(path: str, value: Any, place: str) -> None:
    document, prop = exactly_zero()
    kind, number, field, *_ = path.split(".")
    if field not in document[kind][int(number)]:
        document[kind][int(number)][field] = None

    assert place in check(edited(document, path, value), prop).reason


def test_thresholds_cut_the_box_of_an_exact_core() -> None:
    above = LinearConstraint(((0, Fraction(-1)),), (), Fraction(-1, 3), strict=True)
    prop = one_case(above, at_least(Fraction(1, 2)))
    document = head(prop) | {
        "atoms": [["case", 0], ["at_most", 0, "1/3"]],
        "regions": [root(), child(2), child(-2)],
        "cores": [exact(1, rows=(1, 0)), exact(2, rows=(0, 1))],
        "clauses": [[]],
    }
    hair = Fraction(1, 2**300)
    below = edited(document, "atoms.1.2", str(Fraction(1, 3) - hair))
    beyond = edited(document, "atoms.1.2", str(Fraction(1, 3) + hair))

    assert check(document, prop).accepted
    assert check(below, prop).accepted
    assert "core 0" in check(beyond, prop).reason
