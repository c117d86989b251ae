# SPDX-License-Identifier: Apache-2.0
"""Every operator in every spelling: read, then held against onnxruntime with a derived bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ir.onnx_models import STEPS, models
from verifier.ir.import_gate import check_against_onnxruntime
from verifier.ir.onnx_lowering import LOWERINGS
from verifier.ir.onnx_reader import read_onnx
from verifier.ir.passes.normalize import is_normal_form


def test_every_supported_operator_is_generated() -> None:
    assert set(STEPS) == set(LOWERINGS)


@pytest.mark.parametrize("operator", sorted(STEPS))
@given(data=st.data())
def test_reading_agrees_with_onnxruntime(operator: str, data: st.DataObject) -> None:
    model = data.draw(models(operator))

    graph = read_onnx(model)

    assert is_normal_form(graph)
    check_against_onnxruntime(model, graph, samples=3)
