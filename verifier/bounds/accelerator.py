# SPDX-License-Identifier: Apache-2.0
"""Where to ascend: numpy on a processor, torch on an accelerator where there is one.

Both offer the few functions that an ascent needs under the same names, so there is one code for
both. Torch takes seconds to load, longer than most verifications run. So it is loaded only by a
search that asks for an accelerator, once it has run for a while, and only where it is installed.
Everything that counts is evaluated by numpy, whatever the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Device:
    """An array library and a place to compute.

    Attributes:
        space: The library.
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


PROCESSOR = Device(np, "cpu")


def torch_device(place: str) -> Device:
    """Return a device of torch's, such as ``cpu`` or ``cuda``."""
    return Device(import_module("torch"), place)


def find_device() -> Device:
    """Return an accelerator where there is one, else the processor."""
    if find_spec("torch") is None:
        return PROCESSOR
    cuda = import_module("torch").cuda
    return torch_device("cuda") if cuda.is_available() else PROCESSOR
