# SPDX-License-Identifier: Apache-2.0
"""Options of methods: what is accepted, what is refused and in which words."""

from __future__ import annotations

from fractions import Fraction

import pytest

from compression.integer_quantisation import IntegerQuantisation
from compression.magnitude_pruning import MagnitudePruning, Scope
from compression.neuron_pruning import Constant, NeuronPruning
from compression.options import option_values
from compression.registry import METHODS, describe_methods, make_method
from verifier.errors import UsageError


def test_texts_become_typed_options() -> None:
    assert make_method("magnitude_pruning", ["sparsity=0.3", "scope=global"]) == MagnitudePruning(
        sparsity=Fraction(3, 10), scope=Scope.GLOBAL
    )
    assert make_method(
        "neuron_pruning", ["fraction=1/3", "layers=2,0,2", "constant=fold"]
    ) == NeuronPruning(fraction=Fraction(1, 3), layers=(0, 2), constant=Constant.FOLD)
    assert make_method("integer_quantisation", ["bits=4"]) == IntegerQuantisation(bits=4)


@pytest.mark.parametrize(
    ("name", "assignment", "message"),
    [
        ("magnitude_pruning", "sparsity", "not of the form key=value"),
        ("magnitude_pruning", "ratio=0.1", "no option 'ratio'; its options: sparsity, scope"),
        ("magnitude_pruning", "sparsity=1", r"sparsity=1 must be a number in \[0, 1\)"),
        ("magnitude_pruning", "sparsity=-0.1", "must be a number"),
        ("magnitude_pruning", "sparsity=1e-999999999", "must be a number"),
        ("magnitude_pruning", "sparsity=1/0", "must be a number"),
        ("magnitude_pruning", "sparsity=nan", "must be a number"),
        ("magnitude_pruning", "scope=all", "scope=all must be one of layer, global"),
        ("integer_quantisation", "bits=17", "bits=17 must be an integer from 2 to 16"),
        ("integer_quantisation", "bits=8.0", "must be an integer"),
        ("integer_quantisation", "bits=", "must be an integer"),
        ("fixed_point", "fraction_bits=many", "must be 'auto' or an integer from -127 to 149"),
        ("neuron_pruning", "layers=0,x", "must be 'all' or layer numbers"),
        ("neuron_pruning", "layers=-1", "must be 'all' or layer numbers"),
        ("neuron_pruning", "fraction=2", "must be 'none' or a number"),
        ("float_rounding", "format=float8", "must be one of float16, bfloat16, float32"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_right(
    name: str, assignment: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        make_method(name, [assignment])

    assert f"method {name!r}" in str(caught.value)


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="given twice"):
        make_method("integer_quantisation", ["bits=4", "bits=5"])


def test_an_unknown_method_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'magic'; there are: .*neuron_pruning"):
        make_method("magic")


@pytest.mark.parametrize("options", [[], ["count=1", "fraction=0.1"]])
def test_neuron_pruning_needs_one_amount(options: list[str]) -> None:
    with pytest.raises(UsageError, match="either option count or option fraction"):
        make_method("neuron_pruning", options)


def test_values_from_python_are_checked_too() -> None:
    with pytest.raises(UsageError, match="bits=99 must be"):
        IntegerQuantisation(bits=99)
    with pytest.raises(UsageError, match="bits=True must be"):
        IntegerQuantisation(bits=True)


def test_every_method_is_described() -> None:
    described = {d.name: d for d in describe_methods()}

    assert set(described) == set(METHODS)
    for description in described.values():
        assert description.summary
        assert all(o.summary and o.expects for o in description.options)
    assert [o.name for o in described["fixed_point"].options] == [
        "total_bits",
        "fraction_bits",
        "rounding",
        "biases",
    ]


def test_listed_defaults_are_accepted_as_texts() -> None:
    for description in describe_methods():
        amount = ["count=0"] if description.name == "neuron_pruning" else []
        texts = [f"{o.name}={o.default}" for o in description.options if o.name != "count"]

        method = make_method(description.name, [*amount, *texts])

        assert option_values(method) == option_values(make_method(description.name, amount))
