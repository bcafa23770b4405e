"""``unprompt``: arguments only; each command imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unprompt._cli.console import guarded
from unprompt._cli.options import (
    AsJson,
    BatchSize,
    Device,
    DropMembers,
    Ensemble,
    Experiment,
    Offline,
    Overrides,
    Precision,
    Quiet,
)

app = typer.Typer(
    name="unprompt",
    help="What prompt made this image? Predict the prompt's embedding with an ensemble.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a bug shows Python's own traceback
    rich_markup_mode=None,  # rich would be imported for every --help
)
config_app = typer.Typer(
    help="Check and show YAML files.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(config_app, name="config")


@app.command()
def run(
    experiment: Experiment,
    overrides: Overrides = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The run's folder. Default: runs/NAME/RUN-ID beside the YAML file."),
    ] = None,
    drop_members: DropMembers = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Run an experiment: train members, search weights, report scores on the test split."""
    from unprompt._cli.run import run_command

    overrides = [*(overrides or []), *(["search.drop_members=true"] if drop_members else [])]
    run_command(experiment, overrides, output, offline=offline, quiet=quiet)


@app.command()
def search(
    experiment: Experiment,
    workers: Annotated[
        int | None, typer.Option(help="Processes on this machine. Default: search.workers.")
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(help="Where the study lives. Default: search.storage, or a file in runs/."),
    ] = None,
    overrides: Overrides = None,
    drop_members: DropMembers = False,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Fill an experiment's study; the same command elsewhere on the same storage joins in."""
    from unprompt._cli.search import search_command

    said = [*(overrides or []), *(["search.drop_members=true"] if drop_members else [])]
    said += [] if workers is None else [f"search.workers={workers}"]
    if storage is not None:  # a path on the command line starts where the command is given
        place = storage if "://" in storage else str(Path(storage).expanduser().absolute())
        said.append(f"search.storage={place}")
    search_command(experiment, said, offline=offline, quiet=quiet)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
) -> None:
    """Rebuild a run's report.html."""
    from unprompt._cli.report import report_command

    report_command(run)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Two or more runs' folders.")],
    as_json: AsJson = False,
) -> None:
    """Paired differences between runs on the same test images."""
    from unprompt._cli.compare import compare_command

    compare_command(runs, as_json=as_json)


@app.command()
def dashboard(
    where: Annotated[str, typer.Argument(help="A run's folder, or a study's storage.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    artifacts: Annotated[
        Path | None, typer.Option(help="Folder of the studies' files. Default: the run's.")
    ] = None,
) -> None:
    """Open a run's study in optuna-dashboard."""
    from unprompt._cli.dashboard import dashboard_command

    dashboard_command(where, port=port, host=host, artifacts=artifacts)


@app.command()
def predict(
    ensemble: Ensemble,
    images: Annotated[list[str], typer.Argument(help="Images, folders or globs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    format: Annotated[
        str | None,
        typer.Option(help="kaggle, jsonl, parquet or npy. Default: by the output's suffix."),
    ] = None,
    skip_unreadable: Annotated[
        bool,
        typer.Option("--skip-unreadable", help="Leave out images that cannot be read."),
    ] = False,
    device: Device = "cpu",
    precision: Precision = "float32",
    batch_size: BatchSize = 64,
    overrides: Overrides = None,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Predict the prompts' embeddings (and readable prompts) of images."""
    from unprompt._cli.predict import predict_command
    from unprompt._cli.setup import runtime_config

    predict_command(
        ensemble,
        images,
        output,
        format,
        skip_unreadable=skip_unreadable,
        runtime=runtime_config(device, precision, batch_size),
        overrides=overrides or [],
        offline=offline,
        quiet=quiet,
    )


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
            help="Dry run: build every tower at full size with random parameters and run images.",
        ),
    ] = False,
    device: Device = "cpu",
    precision: Precision = "auto",
    batch_size: BatchSize = 8,
    overrides: Overrides = None,
) -> None:
    """Say what an ensemble needs: files, sizes and, in a dry run, time and memory."""
    from unprompt._cli.check import check_command
    from unprompt._cli.setup import runtime_config

    check_command(
        ensemble,
        images=images or [],
        dry_run=dry_run,
        config=runtime_config(device, precision, batch_size),
        overrides=overrides or [],
    )


@app.command()
def score(
    predictions: Annotated[Path, typer.Argument(help="csv (Kaggle), jsonl, parquet or npy.")],
    prompts: Annotated[Path, typer.Argument(help="A table of image ids and true prompts.")],
    quiet: Quiet = False,
) -> None:
    """Mean cosine of predictions with the true prompts, joined by image id."""
    from unprompt._cli.score import score_command

    score_command(predictions, prompts, quiet=quiet)


@app.command()
def plugins(
    as_json: AsJson = False,
    check: Annotated[
        bool, typer.Option("--check", help="Load every plugin and say what it offers (slow).")
    ] = False,
) -> None:
    """List the plugins of this environment."""
    from unprompt._cli.plugins import plugins_command

    plugins_command(as_json=as_json, check=check)


@config_app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="Ensembles, experiments or recipes.")],
) -> None:
    """Report every mistake of YAML files at once."""
    from unprompt._cli.config import validate_command

    validate_command(files)


@config_app.command()
def show(
    file: Annotated[Path, typer.Argument(help="An ensemble, experiment or recipe.")],
    overrides: Overrides = None,
) -> None:
    """Print a YAML file with everything included, overridden and spelled out."""
    from unprompt._cli.config import show_command

    show_command(file, overrides or [])


def version_option(value: bool) -> None:
    """Print the version and stop."""
    if value:
        import importlib.metadata

        typer.echo(f"unprompt {importlib.metadata.version('unprompt')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=version_option, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point: a user's mistake is one clear line per problem and exit code 2."""
    with guarded():
        app()
