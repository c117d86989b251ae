# SPDX-License-Identifier: Apache-2.0
"""Evidence packs: ``mucg4 evidence check``, and the options of ``mucg4 check`` that make one."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier.cli.arguments import Parser, add_command, count, usable_cores
from verifier.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console
    from verifier.gate.check import Report
    from verifier.gate.evidence.agreement import Claim
    from verifier.gate.evidence.audit import Audit
    from verifier.gate.evidence.signature import PublicKey, SigningKey

REJECTED = 3
PASSPHRASE = "MUCG4_SIGNING_PASSPHRASE"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class Evidence:
    """Where a pack goes, and who signs it.

    Attributes:
        folder: The pack.
        key: The signer's.
    """

    folder: Path
    key: SigningKey

    def write(self, report: Report) -> None:
        """Write the pack."""
        from verifier.gate.evidence.writer import write_pack

        write_pack(report, self.folder, self.key)


def add_evidence_options(parser: Parser) -> None:
    """Add the options that make a pack."""
    parser.add_argument(
        "--evidence",
        type=Path,
        metavar="DIR",
        help="write an evidence pack into this new folder: report, networks, properties, and "
        "certificates, without which no verdict counts then; needs --signing-key",
    )
    parser.add_argument(
        "--signing-key",
        type=Path,
        metavar="KEY.pem",
        help="what signs the pack: a private key for Ed25519 in PEM; if it is encrypted, "
        f"{PASSPHRASE} is its passphrase",
    )


def evidence_of(arguments: argparse.Namespace) -> Evidence | None:
    """Return what the options ask for; all that can be wrong with them is found before the work.

    Raises:
        UsageError: One is given without the other, the folder cannot be written, or the key is no
            key for Ed25519.
    """
    folder, key = arguments.evidence, arguments.signing_key
    if folder is None and key is None:
        return None
    from verifier.gate.evidence.signature import MAKE_KEY, MAKE_PUBLIC_KEY, SigningKey
    from verifier.gate.evidence.writer import check_new

    if folder is None:
        msg = "--signing-key signs an evidence pack: give --evidence DIR as well"
        raise UsageError(msg)
    if key is None:
        msg = (
            "--evidence needs --signing-key KEY.pem; make a key, and what others check with, by\n"
            f"    {MAKE_KEY}\n    {MAKE_PUBLIC_KEY}"
        )
        raise UsageError(msg)
    check_new(folder)
    try:
        return Evidence(folder, SigningKey.read(key, os.environ.get(PASSPHRASE)))
    except UsageError as error:
        msg = f"{error}; {PASSPHRASE} is where a passphrase is looked for"
        raise UsageError(msg) from error


def register(commands: Commands) -> None:
    """Add the command."""
    summary = "Work with evidence packs"
    group = commands.add_parser("evidence", help=summary, description=f"{summary}.")
    actions = group.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    parser = add_command(
        actions,
        "check",
        "Check an evidence pack, believing only the signer's public key: signature, files, and "
        "each certificate anew",
        run,
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the pack")
    parser.add_argument(
        "--public-key",
        type=Path,
        required=True,
        metavar="PUB.pem",
        help="the signer's, got in another way than with the pack",
    )
    parser.add_argument(
        "--processes",
        type=count,
        metavar="N",
        help="how many certificates at a time (default: one for each core)",
    )
    parser.epilog = (
        "Exit status: 0 all of it is right (also of a pack that says FAILED), 2 wrong usage, "
        "3 something is rejected, 4 internal error."
    )


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run ``evidence check``."""
    if not arguments.folder.is_dir():
        msg = f"{arguments.folder}: there is no such folder"
        raise UsageError(msg)
    from verifier.gate.evidence.signature import PublicKey

    key = PublicKey.read(arguments.public_key)
    found = _audited(arguments, console, key)
    console.answer(_document(found, key), _text(found, key))
    return REJECTED if found.problems else 0


def _audited(arguments: argparse.Namespace, console: Console, key: PublicKey) -> Audit:
    from verifier.batch.pool import LocalPool
    from verifier.batch.run import Run
    from verifier.batch.store import opened
    from verifier.cli.batch_progress import shown
    from verifier.gate.evidence.audit import audit

    pool = LocalPool(arguments.processes or usable_cores())
    try:
        with (
            # Nothing is taken from it: certificates are checked in every run.
            tempfile.TemporaryDirectory(prefix="mucg4-") as empty,
            opened(Path(empty)) as store,
            shown("evidence check", is_quiet=console.is_quiet) as progress,
        ):
            return audit(arguments.folder, key, Run(pool, store, progress))
    finally:
        pool.close()


def _document(found: Audit, key: PublicKey) -> dict[str, Any]:
    return {
        "command": "evidence check",
        "accepted": not found.problems,
        "problems": list(found.problems),
        "key": key.id,
        "result": found.result or None,
        "checks": [
            {
                "name": claim.name,
                "verdict": claim.verdict,
                "judgement": str(claim.judgement),
                "is_proved": claim.name in found.confirmed,
            }
            for claim in found.claims
        ],
    }


def _text(found: Audit, key: PublicKey) -> str:
    from verifier.report import lines

    rows = [("pack", "rejected" if found.problems else "accepted"), ("key", key.id)]
    if found.result:
        rows.append(("result of the gate", found.result))
        proved = f"{len(found.confirmed)} of {len(found.claims)} by a certificate, checked now"
        rows.append(("verdicts", proved))
    parts = ["\n".join(_line(claim, found) for claim in found.claims)] if found.claims else []
    parts += ["\n".join(f"rejected: {problem}" for problem in found.problems)]
    return "\n\n".join(part for part in [*parts, lines(rows)] if part)


def _line(claim: Claim, found: Audit) -> str:
    how = "proved" if claim.name in found.confirmed else "not proved"
    return f"{claim.judgement:<14}{claim.verdict:<11}{how:<13}{claim.name}"
