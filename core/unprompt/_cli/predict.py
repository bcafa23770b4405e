"""``unprompt predict``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from unprompt._api import load_ensemble
from unprompt._cli.console import progress_on
from unprompt._config.models import RuntimeConfig
from unprompt._data.predictions import format_of
from unprompt._files.writing import check_writable

WITH_PROMPTS = ("jsonl", "parquet")
"""Formats that have room for prompts and evidence."""


def predict_command(
    path: Path,
    images: Sequence[str],
    output: Path,
    format: str | None,
    *,
    skip_unreadable: bool,
    runtime: RuntimeConfig,
    overrides: Sequence[str],
    offline: bool,
    quiet: bool,
) -> None:
    """Predict images with an ensemble and write them keyed by image id."""
    chosen = format_of(output, format)
    check_writable(output)
    ensemble = load_ensemble(
        path,
        overrides=overrides,
        device=runtime.device,
        precision=runtime.precision,
        batch_size=runtime.batch_size,
        offline=offline,
        progress=progress_on(quiet=quiet),
    )
    predictions = ensemble.predict(
        list(images), skip_unreadable=skip_unreadable, prompts=chosen in WITH_PROMPTS
    )
    for line in predictions.skipped.values():
        print(f"skipped: {line}", file=sys.stderr)  # noqa: T201  # a report, not a result
    predictions.save(output, chosen)
    typer.echo(f"{len(predictions.ids)} images: {output}")
