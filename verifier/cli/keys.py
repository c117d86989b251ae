# SPDX-License-Identifier: Apache-2.0
"""``mucg4 keys``: who may use the job server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from verifier.cli.arguments import Parser, add_command, seconds
from verifier.cli.serve import add_data_options, settings_of

if TYPE_CHECKING:
    import argparse

    from api.schemas import Key
    from verifier.cli.arguments import Commands
    from verifier.cli.console import Console

SCOPES = ("read", "write", "metrics", "admin")
DAY_SECONDS = 24 * 3600.0


def register(commands: Commands) -> None:
    """Add the command."""
    summary = "Make, list and revoke keys of the job server"
    group = commands.add_parser("keys", help=summary, description=f"{summary}.")
    actions = group.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=Parser
    )
    create = add_command(actions, "create", "Make a key; it is shown this once", run_create)
    create.add_argument("name", help="what the key is for")
    create.add_argument("--tenant", default="default", help="whose files and jobs it opens")
    create.add_argument(
        "--scope",
        action="append",
        choices=SCOPES,
        dest="scopes",
        help="what it may do; may be repeated (default: read and write)",
    )
    create.add_argument("--days", type=seconds, help="how long it is valid (default: for ever)")
    listing = add_command(actions, "list", "List keys, without their secrets", run_list)
    revoke = add_command(actions, "revoke", "End a key at once", run_revoke)
    revoke.add_argument("prefix", help="the 12 digits between 'mucg4_' and the dot")
    for parser in (create, listing, revoke):
        add_data_options(parser)


def run_create(arguments: argparse.Namespace, console: Console) -> int:
    """Run ``keys create``."""
    from api.command import make_key
    from api.schemas import Scope

    scopes = [Scope(scope) for scope in arguments.scopes or ("read", "write")]
    until = None if arguments.days is None else time.time() + arguments.days * DAY_SECONDS
    key = make_key(settings_of(arguments), arguments.tenant, arguments.name, scopes, until)
    document = {"command": "keys create", "tenant": arguments.tenant, **key.model_dump(mode="json")}
    console.answer(document, key.key)
    return 0


def run_list(arguments: argparse.Namespace, console: Console) -> int:
    """Run ``keys list``."""
    from api.command import all_keys

    keys = all_keys(settings_of(arguments))
    document = {
        "command": "keys list",
        "keys": [{"tenant": tenant, **key.model_dump(mode="json")} for tenant, key in keys],
    }
    rows = [f"{key.prefix}  {tenant:12}  {_state(key):22}  {key.name}" for tenant, key in keys]
    console.answer(document, "\n".join(rows) or "there are no keys; `mucg4 keys create NAME`")
    return 0


def run_revoke(arguments: argparse.Namespace, console: Console) -> int:
    """Run ``keys revoke``."""
    from api.command import end_key

    end_key(settings_of(arguments), arguments.prefix)
    console.answer({"command": "keys revoke", "prefix": arguments.prefix}, "revoked")
    return 0


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return "revoked"
    scopes: list[Any] = list(key.scopes)
    return ",".join(scopes)
