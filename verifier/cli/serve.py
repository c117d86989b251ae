# SPDX-License-Identifier: Apache-2.0
"""``mucg4 serve``: the job server with its web page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier.cli.arguments import add_command, count

if TYPE_CHECKING:
    import argparse

    from verifier.cli.arguments import Commands, Parser
    from verifier.cli.console import Console


def register(commands: Commands) -> None:
    """Add the command."""
    parser = add_command(commands, "serve", "Run the job server with its web page", run)
    add_data_options(parser)
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, help="port to listen on, 0 for a free one (default: 8484)"
    )
    parser.add_argument(
        "--workers", type=count, metavar="N", help="how many jobs run at once (default: 2)"
    )
    parser.add_argument(
        "--executor", choices=("local", "ray"), help="where jobs run (default: local)"
    )
    parser.add_argument(
        "--ray-address",
        metavar="HOST:PORT",
        help="the Ray cluster to use (default: one of the server's own, on this machine)",
    )
    parser.epilog = "Every setting has a variable in the environment, too: docs/operating.md."


def add_data_options(parser: Parser) -> None:
    """Add where the server keeps its data."""
    parser.add_argument(
        "--data-dir",
        type=Path,
        help="where database and files lie (default: the user's data folder)",
    )
    parser.add_argument(
        "--database-url", help="postgresql+psycopg://... (default: SQLite in the data folder)"
    )


def settings_of(arguments: argparse.Namespace) -> Any:
    """Return the settings that a command line and the environment ask for."""
    from api.settings import read_settings

    given = {name: value for name, value in vars(arguments).items() if value is not None}
    return read_settings(given)


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the command."""
    from api.command import serve
    from verifier.version import version

    def tell(address: str, first_key: str | None) -> None:
        document = {"command": "serve", "address": address, "first_key": first_key}
        rows = [f"mucg4 serves on {address}"]
        if first_key is not None:
            rows.append(f"the first key, shown this once: {first_key}")
        console.answer(document, "\n".join(rows))

    serve(settings_of(arguments), version(), tell)
    return 0
