"""The commands that the Python API serves: arguments in, tables out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from unprompt._cli.console import progress_on
from unprompt._cli.options import (
    AsJSON,
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

WITH_PROMPTS = ("jsonl", "parquet")
"""Formats of predictions that have room for prompts and evidence."""


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
    from unprompt import _api
    from unprompt._cli.tables import scores_table

    finished = _api.run(
        experiment,
        overrides=[*(overrides or []), *_dropping(drop_members)],
        output=output,
        offline=offline,
        progress=progress_on(quiet=quiet),
    )
    typer.echo(scores_table(finished.scores))
    for note in finished.manifest.notes:
        typer.echo(f"note: {note}")
    typer.echo(str(finished.folder))


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
    from unprompt import _api
    from unprompt._cli.tables import search_table

    values = [*(overrides or []), *_dropping(drop_members)]
    if workers is not None:
        values.append(f"search.workers={workers}")
    if storage is not None:  # a path on the command line starts where the command is given
        is_url = "://" in storage
        path = storage if is_url else str(Path(storage).expanduser().absolute())
        values.append(f"search.storage={path}")
    study = _api.search(
        experiment, overrides=values, offline=offline, progress=progress_on(quiet=quiet)
    )
    typer.echo(search_table(study.result.summary, study.weights))
    typer.echo(study.storage)


def report(run: Annotated[Path, typer.Argument(help="A run's folder.")]) -> None:
    """Rebuild a run's report.html."""
    from unprompt._report.build import write_report

    typer.echo(str(write_report(run)))


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Two or more runs' folders.")],
    as_json: AsJSON = False,
) -> None:
    """Paired differences between runs on the same test images."""
    from unprompt._cli.tables import comparison_table
    from unprompt._runs.compare import compare

    comparison = compare(runs)
    typer.echo(comparison.model_dump_json(indent=2) if as_json else comparison_table(comparison))


def predict(
    ensemble: Ensemble,
    images: Annotated[list[str], typer.Argument(help="Images, folders or globs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    format: Annotated[
        str | None,
        typer.Option(help="kaggle, jsonl, parquet or npy. Default: by the output's suffix."),
    ] = None,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out images that cannot be read.")
    ] = False,
    device: Device = "cpu",
    precision: Precision = "float32",
    batch_size: BatchSize = 64,
    overrides: Overrides = None,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Predict the prompts' embeddings (and readable prompts) of images."""
    from unprompt import _api
    from unprompt._data.predictions import format_of
    from unprompt._files.writing import check_writable

    chosen = format_of(output, format)
    check_writable(output)
    loaded = _api.load_ensemble(
        ensemble,
        overrides=overrides or [],
        device=device,
        precision=precision,
        batch_size=batch_size,
        offline=offline,
        progress=progress_on(quiet=quiet),
    )
    predictions = loaded.predict(
        images, skip_unreadable=skip_unreadable, prompts=chosen in WITH_PROMPTS
    )
    for line in predictions.skipped.values():
        print(f"skipped: {line}", file=sys.stderr)  # noqa: T201  # a report, not a result
    predictions.save(output, chosen)
    typer.echo(f"{len(predictions.ids)} images: {output}")


def score(
    predictions: Annotated[Path, typer.Argument(help="csv (Kaggle), jsonl, parquet or npy.")],
    prompts: Annotated[Path, typer.Argument(help="A table of image ids and true prompts.")],
    quiet: Quiet = False,
) -> None:
    """Mean cosine of predictions with the true prompts, joined by image id."""
    from unprompt import _api

    result = _api.score(predictions, prompts, progress=progress_on(quiet=quiet))
    typer.echo(
        f"{result.score:.6f} (95 % interval {result.low:.6f} to {result.high:.6f}; "
        f"{result.images} images in {result.groups} groups)"
    )


def _dropping(drop_members: bool) -> list[str]:
    return ["search.drop_members=true"] if drop_members else []
