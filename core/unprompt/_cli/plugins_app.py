"""``unprompt plugins``: a group whose bare call lists; each command imports what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unprompt._cli.options import AsJSON, path_option

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
    plugins_dir: Annotated[
        list[Path] | None,
        path_option("Folder of single-file plugins; repeatable. Default: UNPROMPT_PLUGINS_DIR."),
    ] = None,
) -> None:
    """List the plugins of this environment."""
    if context.invoked_subcommand is None:
        from unprompt._cli.plugins import plugins_command

        plugins_command(as_json=as_json, check=check)
