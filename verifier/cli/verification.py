# SPDX-License-Identifier: Apache-2.0
"""What ``prove`` and ``reverify`` have in common: the end of a verification, put on record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier.cli.files import write
from verifier.errors import RefusedError
from verifier.network_file import counterexample_json

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from verifier.cli.console import Console
    from verifier.network_file import Network
    from verifier.options import EngineOptions
    from verifier.pipeline import Result
    from verifier.spec.property import Property


@dataclass(frozen=True, eq=False)
class Record:
    """What was written, and what could not be.

    Attributes:
        proof: The proof file, if one was wanted and there is a verdict.
        certificate: The certificate file, likewise.
        missing: Why a file that was wanted is not there, by its option.
    """

    proof: Path | None
    certificate: Path | None
    missing: dict[str, str]

    def json(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return {
            "proof": None if self.proof is None else str(self.proof),
            "certificate": None if self.certificate is None else str(self.certificate),
            "not_written": self.missing,
        }

    def rows(self) -> list[tuple[str, str]]:
        """Return the record as lines for people."""
        written = [("proof", self.proof), ("certificate", self.certificate)]
        return [
            *((name, f"written to {path}") for name, path in written if path is not None),
            *((name, f"not written: {why}") for name, why in self.missing.items()),
        ]


def chosen_options(arguments: argparse.Namespace) -> EngineOptions:
    """Return what the options of a verification ask for."""
    from verifier.options import EngineOptions

    return EngineOptions(
        timeout_seconds=arguments.timeout,
        processes=arguments.processes,
        accelerator=arguments.accelerator,
    )


def record(
    result: Result, proof: Path | None, arguments: argparse.Namespace, console: Console
) -> Record:
    """Write the files that were asked for, as far as the result has them.

    Args:
        result: The result.
        proof: Where to write its proof.
        arguments: Say where to write its certificate, and what it is to say of isolation.
        console: Told what is not written.
    """
    from verifier.certificate.format import write_certificate
    from verifier.proof.store import write_proof

    missing: dict[str, str] = {}
    kept, certificate = result.proof, arguments.certificate
    why_not = f"the verdict is {result.verdict}"
    if proof is not None and kept is not None:
        write(proof, lambda place: write_proof(kept, place))
    elif proof is not None:
        missing["proof"] = why_not
    if certificate is not None and kept is not None:
        try:
            with console.status("write the certificate"):
                document = result.certificate() | _told_of(arguments)
            write(certificate, lambda place: write_certificate(document, place))
        except RefusedError as error:
            missing["certificate"] = str(error)
    elif certificate is not None:
        missing["certificate"] = why_not
    for name, why in missing.items():
        console.note(f"no {name} was written: {why}")
    return Record(
        None if "proof" in missing else proof,
        None if "certificate" in missing else certificate,
        missing,
    )


def _told_of(arguments: argparse.Namespace) -> dict[str, str]:
    """Return what a certificate says of the circumstances, on the word of the command line."""
    return {} if arguments.isolation is None else {"isolation": arguments.isolation}


def result_json(
    command: str,
    result: Result,
    prop: Property,
    replay_problem: str,
    original: Network | None = None,
) -> dict[str, Any]:
    """Return what ``prove`` and ``reverify`` both say of a result.

    Args:
        command: The name of the command.
        result: The result.
        prop: The property.
        replay_problem: What went wrong when its counterexample was replayed.
        original: What to run at the counterexample too, so that both can be compared there.
    """
    counterexample = counterexample_json(result.counterexample, replay_problem)
    if result.counterexample is not None:
        from verifier.cli.violation import violated_case_json

        x, y = result.counterexample.input, result.counterexample.output
        there = None
        if original is not None:
            there = (x, original.output_at(x))
            counterexample["original_output"] = [str(value) for value in there[1]]
        counterexample["violated"] = violated_case_json(prop, (x, y), there)
    return {
        "command": command,
        "verdict": str(result.verdict),
        "reason": result.reason,
        "semantics": str(result.semantics),
        "seconds": round(result.seconds, 6),
        "counterexample": counterexample,
        "statistics": result.statistics.to_json(),
    }
