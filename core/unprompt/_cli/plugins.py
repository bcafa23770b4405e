"""``unprompt plugins``."""

from __future__ import annotations

import json

import typer

from unprompt._cli.cells import text_table
from unprompt._registry.allowed import VARIABLE
from unprompt._registry.check import Status, check_plugins
from unprompt._registry.claims import Claim
from unprompt._registry.plugins import Registry
from unprompt.types import Json


def plugins_command(*, as_json: bool, check: bool, timeout: float) -> None:
    """List plugins from metadata; with ``check`` load them all and exit 1 if one fails.

    Those that ``UNPROMPT_PLUGINS`` excludes are listed as such, and never loaded.
    """
    registry = Registry()
    if check:
        failed = _list_checked(registry, check_plugins(registry, timeout), as_json=as_json)
        raise typer.Exit(1 if failed else 0)
    claims = sorted([*registry.claims, *registry.excluded], key=lambda claim: claim.name)
    if as_json:
        typer.echo(json.dumps([_row(claim, registry) for claim in claims], indent=2))
    else:
        table = [[c.name, c.owner, c.module, _note(c, registry)] for c in claims]
        typer.echo(_table(["name", "package", "module", "note"], table))


def _list_checked(registry: Registry, statuses: list[Status], *, as_json: bool) -> bool:
    """Print what `check_plugins` learned; whether a plugin failed."""
    if as_json:
        rows = [
            _row(status.claim, registry)
            | {"offers": list(status.offers), "summary": status.summary, "error": status.error}
            for status in statuses
        ]
        typer.echo(json.dumps(rows, indent=2))
    else:
        table = [
            [
                s.claim.name,
                s.claim.owner,
                ", ".join(s.offers),
                s.error or s.summary,
                _note(s.claim, registry),
            ]
            for s in statuses
        ]
        typer.echo(_table(["name", "package", "offers", "summary or error", "note"], table))
    return any(status.error for status in statuses)


def _row(claim: Claim, registry: Registry) -> dict[str, Json]:
    """A claim as JSON.

    Returns:
        ``write`` is what YAML writes for it; ``usable`` whether ``UNPROMPT_PLUGINS`` lets it.
    """
    return {
        "name": claim.name,
        "module": claim.module,
        "distribution": None if claim.path else claim.distribution,
        "version": None if claim.path else claim.version,
        "path": claim.path or None,
        "write": registry.reference(claim),
        "usable": claim in registry.claims,
    }


def _note(claim: Claim, registry: Registry) -> str:
    if claim in registry.excluded:
        return f"excluded by {VARIABLE}"
    reference = registry.reference(claim)
    return "" if reference == claim.name else f"claimed twice: write {reference}"


def _table(columns: list[str], rows: list[list[str]]) -> str:
    """As text, without the last column where it is empty."""
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return text_table(columns, rows)
