# SPDX-License-Identifier: Apache-2.0
"""What the independent checker says of a result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from verifier.certificate.checker import check_certificate
from verifier.errors import RefusedError

if TYPE_CHECKING:
    from verifier.ir.graph import Graph
    from verifier.pipeline import Result
    from verifier.spec.property import Property

ACCEPTED = "accepted"


def check_result(graph: Graph, prop: Property, result: Result) -> str:
    """Return what the checker says of a result's certificate, as it would be read from a file.

    Returns:
        ``accepted``, ``rejected: why``, ``refused: why`` where none can be written, or nothing
        where there is no proof: the verdict is unknown, or rests on the differential margin.
    """
    if result.proof is None:
        return ""
    try:
        document = result.certificate()
    except RefusedError as error:
        return f"refused: {error}"
    report = check_certificate(json.loads(json.dumps(document)), graph, prop)
    return ACCEPTED if report.accepted else f"rejected: {report.reason}"
