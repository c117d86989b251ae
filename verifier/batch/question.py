# SPDX-License-Identifier: Apache-2.0
"""What is asked in a run: of which network, in which form, whether which property holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One compression.

    Attributes:
        method: Its method.
        options: Its options, KEY=VALUE.
    """

    method: str
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it in words: ``integer_quantisation bits=8``."""
        return " ".join((self.method, *self.options))


@dataclass(frozen=True)
class Given:
    """A compression that somebody has made: the compressed network is a file.

    Attributes:
        model: Its name: a path.
        neuron_map: Name of the file that says which neuron is which; empty to infer that.
    """

    model: str
    neuron_map: str = ""

    def __str__(self) -> str:
        """Return the name of the compressed network."""
        return self.model


Change = Step | Given


@dataclass(frozen=True)
class Subject:
    """A network, as it is or compressed.

    Attributes:
        network: Its name in the table or manifest: a path.
        steps: What was done to it, one after the other; empty for the original.
    """

    network: str
    steps: tuple[Change, ...] = ()

    @property
    def base(self) -> Subject:
        """What its last step was applied to."""
        return Subject(self.network, self.steps[:-1])

    @property
    def change(self) -> str:
        """What was done to it, in words; empty for the original."""
        return ", ".join(map(str, self.steps))

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.network} ({self.change})" if self.steps else self.network


@dataclass(frozen=True)
class Question:
    """Whether a property holds.

    Attributes:
        subject: Of which network.
        prop: Name of the property: a path.
        timeout_seconds: How long the answer may take.
    """

    subject: Subject
    prop: str
    timeout_seconds: float

    def __str__(self) -> str:
        """Return it in words; unique in a run."""
        return f"{self.subject}: {self.prop}"
