# SPDX-License-Identifier: Apache-2.0
"""Where to ascend: numpy on a processor, torch on an accelerator where there is one.

Torch takes seconds to load, longer than most verifications run. So it is looked for only when a
caller asks for an accelerator, and loaded only where it is installed; everything else, every
verdict included, is computed by numpy whatever the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import array_api_compat.numpy
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Device:
    """An array library and a place to compute.

    Attributes:
        space: The library, by the array API standard.
        place: What the library calls the place.
    """

    space: Any
    place: Any

    def put(self, values: NDArray[Any]) -> Any:
        """Return values as a float32 array of the device."""
        short = np.ascontiguousarray(values, dtype=np.float32)
        return self.space.asarray(short, device=self.place)

    def get(self, values: Any) -> Array:
        """Return an array of the device as one of numpy's."""
        cpu = values if isinstance(values, np.ndarray) else values.cpu().numpy()
        wide: Array = cpu.astype(np.float64)
        return wide


PROCESSOR = Device(array_api_compat.numpy, "cpu")


def torch_device(place: str) -> Device:
    """Return a device of torch's, such as ``cpu`` or ``cuda``."""
    return Device(import_module("array_api_compat.torch"), place)


def find_device() -> Device:
    """Return an accelerator where there is one, else the processor."""
    if find_spec("torch") is None:
        return PROCESSOR
    cuda = import_module("torch").cuda
    return torch_device("cuda") if cuda.is_available() else PROCESSOR
