"""``unprompt plugins``: a group whose bare call lists; each command imports what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from unprompt._cli.options import (
    AsJSON,
    PluginsDir,
    path_argument,
    path_option,
    use_plugins_from,
)

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
def new(
    name: Annotated[str, typer.Argument(help="What YAML will call the plugin, such as demo.")],
    kind: Annotated[
        Literal["predictor", "dataset", "text-encoder", "observer"],
        typer.Option(help="What the plugin offers."),
    ] = "predictor",
    output: Annotated[
        Path, path_option("Folder in which the package's folder is made.", "--output", "-o")
    ] = Path(),
) -> None:
    """Write a complete package of a new plugin, with tests and an example."""
    from unprompt._cli.plugins_new import new_command

    new_command(name, kind=kind, output=output)


@plugins_app.command()
def show(
    name: Annotated[str, typer.Argument(help="A plugin, as `unprompt plugins` lists it.")],
    as_json: AsJSON = False,
) -> None:
    """Say what a plugin offers: kinds, hooks, every option, and an example for YAML."""
    from unprompt._cli.plugins_show import show_command

    show_command(name, as_json=as_json)


@plugins_app.command()
def export(
    run: Annotated[
        Path | None, path_argument("A run's folder: the plugins that it had. Default: all.")
    ] = None,
) -> None:
    """Print the lines of a requirements file that install the same plugins elsewhere."""
    from unprompt._cli.export import export_command

    export_command(run)
