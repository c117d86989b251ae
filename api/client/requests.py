# SPDX-License-Identifier: Apache-2.0
"""One method for each kind of job; each submits its request. Files are named by their SHA-256."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.client.calls import submit
from api.schemas import (
    BatchRequest,
    CheckRequest,
    ClassifyRequest,
    CompressRequest,
    ProveRequest,
    ReverifyRequest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.client.conversation import Ask, Steps
    from api.schemas import JobDetail, Network


def prove(
    ask: Ask, model: str, properties: Sequence[str], timeout_seconds: float | None = None
) -> Steps[JobDetail]:
    """Verify properties of a model, and keep the proofs for reuse."""
    request = ProveRequest(
        kind="prove", model=model, properties=list(properties), timeout_seconds=timeout_seconds
    )
    return submit(ask, request)


def reverify(  # noqa: PLR0913 - each is a field of the request
    ask: Ask,
    original: str,
    properties: Sequence[str],
    *,
    model: str | None = None,
    model_of: str | None = None,
    neuron_map: str | None = None,
    timeout_seconds: float | None = None,
) -> Steps[JobDetail]:
    """Verify properties of a compressed model by reusing the proofs of its original.

    Args:
        ask: The client's.
        original: The original.
        properties: The properties.
        model: The compressed model; or else
        model_of: the id of the compress job that makes it.
        neuron_map: Which neuron is which; inferred if it is not given.
        timeout_seconds: When to end as ``unknown``.
    """
    request = ReverifyRequest(
        kind="reverify",
        original=original,
        model=model,
        model_of=model_of,
        neuron_map=neuron_map,
        properties=list(properties),
        timeout_seconds=timeout_seconds,
    )
    return submit(ask, request)


def compress(
    ask: Ask, model: str, method: str, options: Mapping[str, str | float] | None = None
) -> Steps[JobDetail]:
    """Make a smaller variant of a model; ``mucg4 compress --list`` names methods and options."""
    texts = {name: str(value) for name, value in (options or {}).items()}
    return submit(ask, CompressRequest(kind="compress", model=model, method=method, options=texts))


def classify(
    ask: Ask,
    original: str,
    model: str,
    *,
    neuron_map: str | None = None,
    property: str | None = None,  # noqa: A002 - the name in the request
) -> Steps[JobDetail]:
    """Tell what compression changed, layer by layer."""
    request = ClassifyRequest(
        kind="classify", original=original, model=model, neuron_map=neuron_map, property=property
    )
    return submit(ask, request)


def check(
    ask: Ask,
    certificate: str,
    model: str,
    property: str,  # noqa: A002 - the name in the request
) -> Steps[JobDetail]:
    """Have the independent checker judge a certificate."""
    request = CheckRequest(kind="check", certificate=certificate, model=model, property=property)
    return submit(ask, request)


def batch(
    ask: Ask,
    networks: Sequence[Network],
    properties: Sequence[str],
    timeout_seconds: float | None = None,
) -> Steps[JobDetail]:
    """Verify every property of every network, and of every variant by reuse."""
    request = BatchRequest(
        kind="batch",
        networks=list(networks),
        properties=list(properties),
        timeout_seconds=timeout_seconds,
    )
    return submit(ask, request)
