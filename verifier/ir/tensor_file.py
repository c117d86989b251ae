# SPDX-License-Identifier: Apache-2.0
"""Values as ONNX tensors, the form in which runtimes and other tools take test data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence


def tensor_bytes(
    name: str, values: Sequence[float], shape: tuple[int, ...], float_type: str
) -> bytes:
    """Return a serialised ``TensorProto`` of the values in row-major order."""
    array = np.array(values, dtype=float_type).reshape(shape)
    return bytes(numpy_helper.from_array(array, name).SerializeToString(deterministic=True))
