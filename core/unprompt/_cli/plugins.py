"""``unprompt plugins``."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from unprompt._cli.tables import text_table
from unprompt._registry.check import check_plugins
from unprompt._registry.plugins import Registry


def plugins_command(*, as_json: bool, check: bool) -> None:
    """List plugins from metadata; with ``check`` load them all and exit 1 if one fails."""
    registry = Registry()
    statuses = check_plugins(registry) if check else None
    if statuses is None:
        rows = [asdict(claim) for claim in registry.claims]
    else:
        rows = [
            asdict(status.claim)
            | {"offers": list(status.offers), "summary": status.summary, "error": status.error}
            for status in statuses
        ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif statuses is None:
        table = [[c.name, c.owner, c.module] for c in registry.claims]
        typer.echo(text_table(["name", "package", "module"], table))
    else:
        checked = [
            [s.claim.name, s.claim.owner, ", ".join(s.offers), s.error or s.summary]
            for s in statuses
        ]
        typer.echo(text_table(["name", "package", "offers", "summary or error"], checked))
    if statuses and any(status.error for status in statuses):
        raise typer.Exit(1)
