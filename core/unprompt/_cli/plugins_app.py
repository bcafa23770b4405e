"""``unprompt plugins``: a group whose bare call lists; each command imports what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unprompt._cli.options import AsJSON, PluginsDir, path_argument, use_plugins_from

plugins_app = typer.Typer(
    help="List, check and write plugins.", invoke_without_command=True, rich_markup_mode=None
)


@plugins_app.callback()
def plugins(
    context: typer.Context,
    as_json: AsJSON = False,
    check: Annotated[
        bool, typer.Option("--check", help="Load every plugin and say what it offers (slow).")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds that loading one plugin may take with --check.")
    ] = 120.0,
    plugins_dir: PluginsDir = None,
) -> None:
    """List the plugins of this environment."""
    use_plugins_from(context, plugins_dir)
    if context.invoked_subcommand is None:
        from unprompt._cli.plugins import plugins_command

        plugins_command(as_json=as_json, check=check, timeout=timeout)


@plugins_app.command()
def export(
    run: Annotated[
        Path | None, path_argument("A run's folder: the plugins that it had. Default: all.")
    ] = None,
) -> None:
    """Print the lines of a requirements file that install the same plugins elsewhere."""
    from unprompt._cli.export import export_command

    export_command(run)
