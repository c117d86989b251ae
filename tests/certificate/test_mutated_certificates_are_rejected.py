# SPDX-License-Identifier: Apache-2.0
"""A certificate that was changed is rejected, unless its maker sealed it and it is still a proof.

A file that was changed on its way has the wrong digest and is refused, whatever the change. Who
makes the change can make the digest too, so mutants are given to the checker as well. Some are
still proofs: a threshold moved within its slack, a slope that no bound hangs on. So each mutant
that the checker accepts goes to an exact oracle, which decides every claim by z3 and the clauses by
CaDiCaL: it must be a proof by their standard. Nothing false may ever be accepted, and that is
tested directly as well: with the certificate of a true statement for a false one.
"""

from __future__ import annotations

import json
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.certificate.proofs import Document, Proved, is_still_a_proof, proofs
from tests.generators import random_points
from verifier.certificate.checker import check_certificate
from verifier.certificate.format import digest, read_certificate
from verifier.errors import CorruptFileError
from verifier.ir.evaluate import evaluate_exactly
from verifier.ir.fingerprint import fingerprint
from verifier.ir.operators import Affine
from verifier.ir.rational import RationalArray
from verifier.spec.counterexample import violates
from verifier.spec.fingerprint import property_fingerprint
from verifier.spec.property import Case, Property
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from verifier.ir.graph import Graph

Rng = np.random.Generator


def pick(rng: Rng, values: Any) -> int:
    return int(rng.integers(len(values)))


def literals_of_a_region(rng: Rng, document: Document) -> list[int]:
    children: list[list[int]]
    children = [region["literals"] for region in document["regions"] if "literals" in region]
    return children[pick(rng, children)]


def flip_a_regions_literal(rng: Rng, document: Document) -> None:
    literals = literals_of_a_region(rng, document)
    literals[pick(rng, literals)] *= -1


def cut_a_region_elsewhere(rng: Rng, document: Document) -> None:
    literals = literals_of_a_region(rng, document)
    literal = int(rng.integers(1, len(document["atoms"]) + 2)) * int(rng.choice([1, -1]))
    literals[pick(rng, literals)] = literal


def give_a_region_another_parent(rng: Rng, document: Document) -> None:
    place = 1 + pick(rng, document["regions"][1:])
    document["regions"][place]["parent"] = int(rng.integers(-1, len(document["regions"]) + 1))


def move_a_core(rng: Rng, document: Document) -> None:
    core = document["cores"][pick(rng, document["cores"])]
    core["region"] = int(rng.integers(-1, len(document["regions"]) + 1))


def drop_a_core(rng: Rng, document: Document) -> None:
    del document["cores"][pick(rng, document["cores"])]


def claim_that_a_region_is_empty(rng: Rng, document: Document) -> None:
    place = pick(rng, document["cores"])
    core = document["cores"][place]
    document["cores"][place] = {"region": core["region"], "case": core["case"], "empty": True}


def drop_the_rows(rng: Rng, document: Document) -> None:
    core = document["cores"][pick(rng, document["cores"])]
    core["rows"] = [0 for _ in core.get("rows", [0])]


def move_a_threshold_or_neuron(rng: Rng, document: Document) -> None:
    atoms = [atom for atom in document["atoms"] if atom[0] != "case"]
    atom = atoms[pick(rng, atoms)]
    if atom[0] == "at_most" and rng.random() < 0.7:
        atom[2] = atom[2] + float(rng.normal())
    else:
        atom[int(rng.integers(1, len(atom)))] += int(rng.choice([1, -1]))


def drop_an_atom(rng: Rng, document: Document) -> None:
    del document["atoms"][pick(rng, document["atoms"])]


def drop_a_region(rng: Rng, document: Document) -> None:
    del document["regions"][pick(rng, document["regions"])]


def swap_two_regions(rng: Rng, document: Document) -> None:
    regions = document["regions"]
    one, other = pick(rng, regions), pick(rng, regions)
    regions[one], regions[other] = regions[other], regions[one]


def edit_a_clause(rng: Rng, document: Document) -> None:
    clause = document["clauses"][pick(rng, document["clauses"])]
    literal = int(rng.integers(1, len(document["atoms"]) + 1)) * int(rng.choice([1, -1]))
    if clause and rng.random() < 0.5:
        clause[pick(rng, clause)] = literal
    else:
        clause.append(literal)


def drop_a_literal_of_a_clause(rng: Rng, document: Document) -> None:
    clause = document["clauses"][pick(rng, document["clauses"])]
    if clause:
        del clause[pick(rng, clause)]


def drop_the_last_clause(_: Rng, document: Document) -> None:
    del document["clauses"][-1]


def change_a_number(rng: Rng, document: Document) -> None:
    """Change any number anywhere below the header: scale, negate, shift, or not a number."""
    parts = [document[key] for key in ("atoms", "regions", "cores", "clauses")]
    holders = [holder for part in parts for holder in number_holders(part)]
    holder, key = holders[pick(rng, holders)]
    value = holder[key]
    changes = [value + 1, value - 1, -value - 1, value * 3, str(value) + "/0", float("nan"), None]
    holder[key] = changes[pick(rng, changes)]


def drop_or_double_an_entry(rng: Rng, document: Document) -> None:
    parts = [document[key] for key in ("atoms", "regions", "cores", "clauses")]
    lists = [entries for part in parts for entries in nonempty_lists(part)]
    entries = lists[pick(rng, lists)]
    place = pick(rng, entries)
    if rng.random() < 0.5:
        del entries[place]
    else:
        entries.insert(place, deepcopy(entries[place]))


def drop_a_field(rng: Rng, document: Document) -> None:
    place = [document, *document["regions"], *document["cores"]]
    chosen = place[pick(rng, place)]
    # Without these a region is bounded in another way, which may do as well.
    needed = [name for name in chosen if name not in {"kept", "tightened"}]
    del chosen[needed[pick(rng, needed)]]


def turn_a_tightening_slope(rng: Rng, document: Document) -> None:
    """Turn one slope out of its range, or another way within it."""
    roots = [region["tightened"] for region in document["regions"] if "tightened" in region]
    rows = [row for root in roots for entry in root for side in entry[2:] for row in side if row]
    if rows:
        row = rows[pick(rng, rows)]
        row[pick(rng, row)] = float(rng.choice([-0.5, 0.0, 0.5, 1.0, 1.5]))


MUTATIONS: list[Callable[[Rng, Document], None]] = [
    turn_a_tightening_slope,
    flip_a_regions_literal,
    cut_a_region_elsewhere,
    give_a_region_another_parent,
    move_a_core,
    drop_a_core,
    claim_that_a_region_is_empty,
    drop_the_rows,
    move_a_threshold_or_neuron,
    drop_an_atom,
    drop_a_region,
    swap_two_regions,
    edit_a_clause,
    drop_a_literal_of_a_clause,
    drop_the_last_clause,
    change_a_number,
    drop_or_double_an_entry,
    drop_a_field,
]


def number_holders(value: Any) -> list[tuple[Any, Any]]:
    """Return container and key of each number in nested lists and objects."""
    if not isinstance(value, list | dict):
        return []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[tuple[Any, Any]] = []
    for key, entry in items:
        is_number = isinstance(entry, int | float) and not isinstance(entry, bool)
        found += [(value, key)] if is_number else number_holders(entry)
    return found


def nonempty_lists(value: Any) -> list[list[Any]]:
    if not isinstance(value, list | dict):
        return []
    entries = value if isinstance(value, list) else list(value.values())
    own = [value] if isinstance(value, list) and value else []
    return own + [found for entry in entries for found in nonempty_lists(entry)]


def mutants(count: int, proof_count: int) -> Iterator[tuple[str, Proved, Document]]:
    """Yield mutants, up to ``count`` for each proof, with the name of the mutation."""
    rng = np.random.default_rng(7)
    for proof in proofs(proof_count):
        for number in range(count):
            mutation = MUTATIONS[number % len(MUTATIONS)]
            mutant = deepcopy(proof.document)
            mutation(rng, mutant)
            if mutant != proof.document:
                yield mutation.__name__, proof, mutant


def accepted_mutants(count: int, proof_count: int) -> tuple[Counter[str], Counter[str]]:
    """Return, by mutation, how many mutants were made and how many the checker accepted.

    Raises:
        AssertionError: A mutant was accepted although it is no proof.
    """
    made: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for name, proof, mutant in mutants(count, proof_count):
        made[name] += 1
        if check_certificate(mutant, proof.graph, proof.prop).accepted:
            accepted[name] += 1
            assert is_still_a_proof(proof, mutant), (name, mutant)
    return made, accepted


def test_every_changed_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "certificate.json"
    made = 0
    for _, proof, mutant in mutants(340, 16):
        path.write_text(json.dumps({**mutant, "digest": digest(proof.document)}))
        with pytest.raises(
            CorruptFileError,
            match=r"changed after it was written|not a certificate in the format|without digest",
        ):
            read_certificate(path)
        made += 1

    assert made > 4000


def test_the_oracle_agrees_with_unchanged_certificates() -> None:
    for proof in proofs(4):
        assert check_certificate(proof.document, proof.graph, proof.prop).accepted
        assert is_still_a_proof(proof, proof.document)


def test_a_mutant_is_accepted_only_if_it_is_still_a_proof() -> None:
    made, _ = accepted_mutants(51, 4)

    assert made.total() > 150


@pytest.mark.slow
def test_thousands_of_mutants_are_rejected_unless_they_are_still_proofs() -> None:
    made, accepted = accepted_mutants(340, 16)

    assert made.total() > 4000
    assert accepted.total() < 0.04 * made.total()
    # These leave no proof, however lucky the choice: every atom, field and last clause is needed.
    for name in ("drop_an_atom", "drop_a_field", "drop_the_last_clause"):
        assert accepted[name] == 0


def solved_at(proof: Proved, point: tuple[Fraction, ...]) -> Property:
    """Return the property with bounds moved so that a point just violates it."""
    output = evaluate_exactly(proof.graph, point)
    cases = []
    for case in proof.prop.cases:
        constraints = []
        for row in case.constraints:
            value = sum((c * point[i] for i, c in row.inputs), Fraction(0))
            value += sum((c * output[j] for j, c in row.outputs), Fraction(0))
            constraints.append(replace(row, bound=value))
        cases.append(Case(case.box, tuple(constraints)))
    return replace(proof.prop, cases=tuple(cases))


def violated_there(proof: Proved, rng: Rng, point: tuple[Fraction, ...]) -> Graph | None:
    """Return the network with other weights in one layer, if the point violates the property."""
    graph = proof.graph
    affine = [i for i, node in enumerate(graph.nodes) if isinstance(node.operator, Affine)]
    place = affine[pick(rng, affine)]
    operator = graph.nodes[place].operator
    assert isinstance(operator, Affine)
    bias = [b + Fraction(float(rng.normal())) for b in operator.bias.fractions()]
    changed = replace(operator, bias=RationalArray.from_fractions(bias, operator.bias.shape))
    nodes = list(graph.nodes)
    nodes[place] = replace(nodes[place], operator=changed)
    other = replace(graph, nodes=tuple(nodes))
    return other if violates(proof.prop, point, evaluate_exactly(other, point)) else None


def patched(document: Document, graph: Graph, prop: Property) -> Document:
    return document | {"network": fingerprint(graph), "property": property_fingerprint(prop)}


def check_false_statements(proof_count: int, point_count: int) -> int:
    """Hand certificates to false statements, with the names patched; return how many were tried."""
    rng = np.random.default_rng(11)
    tried = 0
    for proof in proofs(proof_count):
        for point in random_points(rng, proof.prop.cases[0].box, point_count):
            statements = [(proof.graph, solved_at(proof, point))]
            if (other := violated_there(proof, rng, point)) is not None:
                statements.append((other, proof.prop))
            for graph, prop in statements:
                document = patched(proof.document, graph, prop)
                mutant = deepcopy(document)
                MUTATIONS[pick(rng, MUTATIONS)](rng, mutant)
                for candidate in (document, mutant):
                    report = check_certificate(candidate, graph, prop)
                    assert report.verdict is Verdict.UNKNOWN
                    tried += 1
    return tried


def test_no_certificate_proves_a_false_statement() -> None:
    assert check_false_statements(4, 12) >= 96


@pytest.mark.slow
def test_no_certificate_proves_any_of_thousands_of_false_statements() -> None:
    assert check_false_statements(16, 100) >= 3200


def test_a_certificate_belongs_to_its_network_and_property() -> None:
    first, second, *_ = proofs(4)

    assert "network" in check_certificate(first.document, second.graph, first.prop).reason
    assert "property" in check_certificate(first.document, first.graph, second.prop).reason
