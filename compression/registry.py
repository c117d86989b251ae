# SPDX-License-Identifier: Apache-2.0
"""The compression methods by name. A new method is one file and one row here."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from compression.fixed_point import FixedPoint
from compression.float_rounding import FloatRounding
from compression.integer_quantisation import IntegerQuantisation
from compression.magnitude_pruning import MagnitudePruning
from compression.neuron_pruning import NeuronPruning
from compression.options import OptionDescription, describe_options, parse_options
from verifier.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from compression.base import Method

METHODS: Mapping[str, type[Method]] = MappingProxyType(
    {
        method.name: method
        for method in (
            FixedPoint,
            FloatRounding,
            IntegerQuantisation,
            MagnitudePruning,
            NeuronPruning,
        )
    }
)


class MethodDescription(NamedTuple):
    """One method, for listings."""

    name: str
    summary: str
    options: tuple[OptionDescription, ...]


def make_method(name: str, assignments: Iterable[str] = ()) -> Method:
    """Return the method of that name with options given as ``key=value`` texts.

    Raises:
        UsageError: There is no such method, or an option is wrong.
    """
    if name not in METHODS:
        msg = f"there is no compression method {name!r}; there are: {', '.join(METHODS)}"
        raise UsageError(msg)
    return parse_options(METHODS[name], name, assignments)


def describe_methods() -> tuple[MethodDescription, ...]:
    """Return every method with its options, by name."""
    return tuple(
        MethodDescription(name, method.summary, describe_options(method))
        for name, method in sorted(METHODS.items())
    )
