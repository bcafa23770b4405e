"""The commands that the Python API serves: arguments in, tables out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from unprompt._cli.console import progress_on, say
from unprompt._cli.options import (
    AsJSON,
    BatchSize,
    Device,
    DropMembers,
    Edit,
    Ensemble,
    Experiment,
    Offline,
    Overrides,
    Precision,
    Quiet,
    SkipUnreadable,
    output_path,
    path_argument,
    path_option,
    storage_source,
)
from unprompt._files.streams import is_stdout

WITH_PROMPTS = ("jsonl", "parquet")
"""Formats of predictions that have room for prompts and evidence."""


def run(
    experiment: Experiment,
    overrides: Overrides = None,
    output: Annotated[
        Path | None,
        path_option(
            "The run's folder: a new one, or one that is empty. Default: runs/NAME/RUN-ID beside "
            "the YAML file; of one in a package, in the working directory."
        ),
    ] = None,
    drop_members: DropMembers = False,
    edit: Edit = True,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Run an experiment: train members, search weights, report scores on the test split."""
    from unprompt import _api
    from unprompt._cli.tables import scores_table

    finished = _api.run(
        experiment,
        overrides=[*(overrides or []), *_dropping(drop_members), *_not_editing(edit)],
        output=output,
        offline=offline,
        progress=progress_on(quiet=quiet),
    )
    for line in finished.scores.leak.warnings(finished.scores.sizes):
        say(f"warning: {line}")
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
    if storage is not None:  # quoted, as the value of an override is YAML
        values.append(f"search.storage={json.dumps(storage_source(storage), ensure_ascii=False)}")
    study = _api.search(
        experiment, overrides=values, offline=offline, progress=progress_on(quiet=quiet)
    )
    typer.echo(search_table(study.result.summary, study.weights, study.options))
    typer.echo(study.storage)


def report(run: Annotated[Path, path_argument("A run's folder.")]) -> None:
    """Rebuild a run's report.html."""
    from unprompt._report.build import write_report

    typer.echo(str(write_report(run)))


def compare(
    runs: Annotated[list[Path], path_argument("Two or more runs' folders.")],
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
    output: Annotated[
        Path,
        path_option(
            "The file to write, or a FIFO or device to write into; - is stdout, where then "
            "nothing else goes.",
            "--output",
            "-o",
            parser=output_path,
        ),
    ],
    format: Annotated[
        str | None,
        typer.Option(
            help="kaggle, jsonl, parquet or npy. Default: by the output's suffix; jsonl on stdout."
        ),
    ] = None,
    skip_unreadable: SkipUnreadable = False,
    edit: Edit = True,
    device: Device = "cpu",
    precision: Precision = "float32",
    batch_size: BatchSize = 64,
    overrides: Overrides = None,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Predict the prompts' embeddings (and readable prompts) of images."""
    from unprompt import _api
    from unprompt._cli.remarks import remarks
    from unprompt._data.predictions import format_of
    from unprompt._files.writing import check_writable
    from unprompt._pipeline.setup import ensemble_file

    to_stdout = is_stdout(output)
    chosen = format_of(output, format or ("jsonl" if to_stdout else None))
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
    loaded.check_output(output, ensemble_file(ensemble), images)
    predictions = loaded.predict(
        images,
        skip_unreadable=skip_unreadable,
        prompts=chosen in WITH_PROMPTS,
        edit=edit,
    )
    for line in predictions.report.lines(len(predictions.ids)):
        say(line)
    predictions.save(output, chosen)
    for line in remarks(loaded, predictions, ensemble):
        say(line)
    noun = "image" if len(predictions.ids) == 1 else "images"
    typer.echo(f"{len(predictions.ids)} {noun}: {output}", err=to_stdout)


def score(
    predictions: Annotated[Path, path_argument("csv (Kaggle), jsonl, parquet or npy.")],
    prompts: Annotated[Path, path_argument("A table of image ids and true prompts.")],
    ensemble: Annotated[
        Path | None,
        path_option(
            "The ensemble that predicted them, or its run, for files that do not say which text "
            "encoder they are for (csv, npy)."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Mean cosine of predictions with the true prompts, joined by image id."""
    from unprompt import _api
    from unprompt._runs.baselines import few_groups

    progress = progress_on(quiet=quiet)
    result = _api.score(predictions, prompts, ensemble=ensemble, progress=progress)
    interval = "no interval"
    if result.ci95 is not None:
        interval = f"95 % interval {result.low:.6f} to {result.high:.6f}"
    sizes = [
        f"{count} {what}" if count == 1 else f"{count} {what}s"
        for count, what in ((result.images, "image"), (result.groups, "group"))
    ]
    typer.echo(f"{result.score:.6f} ({interval}; {' in '.join(sizes)})")
    if result.assumed:
        say(
            f"note: {predictions} does not say which text encoder it was predicted for: "
            f"{result.assumed} is assumed; --ensemble names another"
        )
    if caution := few_groups(result.groups):
        say(f"caution: {caution}")
    if result.read:
        others = (
            "" if result.predicted is None else f"; the others score {result.predicted.score:.6f}"
        )
        say(
            f"caution: {result.read} of {result.images} prompts were read from files (origin), "
            f"which is no prediction{others}"
        )
    if result.zeros:
        say(f"caution: {result.zeros} of {result.images} predictions are all zeros: they score 0")


def _dropping(drop_members: bool) -> list[str]:
    return ["search.drop_members=true"] if drop_members else []


def _not_editing(edit: bool) -> list[str]:
    return [] if edit else ["edit_prompts=false"]
