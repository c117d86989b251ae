# SPDX-License-Identifier: Apache-2.0
"""What a caller may choose, as plain frozen values passed down explicitly."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineOptions:
    """How the engine searches. Defaults suit all networks measured so far.

    Attributes:
        timeout_seconds: Wall-clock limit, or None for no limit.
        seed: Seed of the attack's random points.
        batch: Regions bounded together.
        minimize: Whether cores are made for reuse: minimised, and with the best margin that the
            linear program can find. A verdict alone does not need it.
        compiled: Whether bounds are computed by compiled loops from the start. A process that
            verifies often pays the half second of loading them once; by default they are used
            where the work is large.
        input_split_width: Networks with at most this many inputs are split on inputs; with more
            they are treated as wide (ADR-0011).
        processes: How many processes a long search is shared between.
        accelerator: Whether long searches on wide networks use an accelerator, if torch is
            installed and has one.
    """

    timeout_seconds: float | None = None
    seed: int = 0
    batch: int = 64
    minimize: bool = True
    compiled: bool = False
    input_split_width: int = 12
    processes: int = 1
    accelerator: bool = False
