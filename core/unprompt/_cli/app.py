"""``unprompt``: every command with its arguments; each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import typer.core

from unprompt._cli import commands
from unprompt._cli.bank_app import bank_app
from unprompt._cli.console import guarded, log_to_stderr
from unprompt._cli.options import (
    BatchSize,
    Device,
    Ensemble,
    Overrides,
    PluginsDir,
    Precision,
    path_argument,
    path_option,
    storage_source,
    use_plugins_from,
    yaml_argument,
)
from unprompt._cli.plugins_app import plugins_app
from unprompt._cli.prompt import prompt
from unprompt._cli.train import train


class Commands(typer.core.TyperGroup):
    """Keeps an error from typer, which takes it for the end of input: "Aborted!"."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # typer's own is private
        """Run a command; a file that ends too early is a bug, which has a traceback."""
        try:
            return super().invoke(ctx)
        except EOFError as error:
            raise RuntimeError(f"a file ended too early: {error}") from error


app = typer.Typer(
    name="unprompt",
    cls=Commands,
    help="What prompt made this image? Predict the prompt's embedding with an ensemble.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a bug shows Python's own traceback
    rich_markup_mode=None,  # rich would be imported for every --help
)
config_app = typer.Typer(
    help="Check, show and describe YAML files.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(config_app, name="config")


@app.command()
def init(
    folder: Annotated[Path, path_argument("Where to.")] = Path(),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there and different.")
    ] = False,
) -> None:
    """Write the ensembles and experiments that ship, with schemas for editors, to a folder."""
    from unprompt._cli.init import init_command

    init_command(folder, overwrite=overwrite)


app.command()(commands.run)
app.command()(train)
app.command()(commands.search)
app.command()(commands.report)
app.command()(commands.compare)


@app.command()
def dashboard(
    where: Annotated[
        str, typer.Argument(help="A run's folder, or a study's storage.", parser=storage_source)
    ],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    artifacts: Annotated[
        Path | None, path_option("Folder of the studies' files. Default: the run's.")
    ] = None,
) -> None:
    """Open a run's study in optuna-dashboard."""
    from unprompt._cli.dashboard import dashboard_command

    dashboard_command(where, port=port, host=host, artifacts=artifacts)


app.command()(commands.predict)
app.command()(prompt)


@app.command()
def check(
    ensemble: Ensemble,
    images: Annotated[
        list[str] | None,
        typer.Option(help="Images for the dry run: a file, folder or glob; repeatable."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Build every tower at full size with random parameters and predict images.",
        ),
    ] = False,
    device: Device = "cpu",
    precision: Precision = "auto",
    batch_size: BatchSize = 8,
    overrides: Overrides = None,
) -> None:
    """Say what an ensemble needs: files, sizes and, in a dry run, time and memory."""
    from unprompt._cli.check import check_command
    from unprompt._pipeline.setup import runtime_config

    check_command(
        ensemble,
        images=images or [],
        dry_run=dry_run,
        config=runtime_config(device, precision, batch_size),
        overrides=overrides or [],
    )


app.command()(commands.score)
app.add_typer(bank_app, name="bank")
app.add_typer(plugins_app, name="plugins")


@config_app.command()
def validate(
    files: Annotated[list[Path], yaml_argument("Ensembles, experiments or recipes.")],
) -> None:
    """Report every mistake of YAML files at once."""
    from unprompt._cli.config import validate_command

    validate_command(files)


@config_app.command()
def show(
    file: Annotated[Path, yaml_argument("An ensemble, experiment or recipe.")],
    overrides: Overrides = None,
) -> None:
    """Print a YAML file with everything included, overridden and spelled out."""
    from unprompt._cli.config import show_command

    show_command(file, overrides or [])


@config_app.command()
def schema(
    kind: Annotated[
        Literal["ensemble", "experiment", "recipe"] | None,
        typer.Argument(help="Of the YAML file. Default: any, told apart as `validate` does."),
    ] = None,
) -> None:
    """Print the JSON Schema of YAML files, with the options of every plugin installed here."""
    from unprompt._cli.schema import schema_command

    schema_command(kind)


def version_option(value: bool) -> None:
    """Print the version and stop."""
    if value:
        import importlib.metadata

        typer.echo(f"unprompt {importlib.metadata.version('unprompt')}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=version_option, is_eager=True, help="Show the version."),
    ] = False,
    plugins_dir: PluginsDir = None,
) -> None:
    import unprompt._config  # noqa: F401  # first of all: it makes broken metadata harmless

    use_plugins_from(context, plugins_dir)


def main() -> None:
    """Entry point: a user's mistake is one clear line per problem and exit code 2."""
    log_to_stderr()
    with guarded():
        app()
