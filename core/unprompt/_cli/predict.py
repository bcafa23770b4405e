"""``unprompt predict``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import typer

from unprompt._cli.setup import workshop
from unprompt._config.models import RuntimeConfig
from unprompt._data.pictures import Files, folder_images, unreadable
from unprompt._data.predictions import format_of, write_predictions
from unprompt._files.writing import check_writable
from unprompt._members.member import Workshop, predict_ensemble
from unprompt._pipeline.folder import WEIGHTS
from unprompt._registry.loading import Ensemble, load_ensemble
from unprompt._registry.plugins import Registry
from unprompt.contracts import Images, TrainSet
from unprompt.embeddings import Embeddings
from unprompt.errors import DataError

WORDY = ("jsonl", "parquet")
"""Formats that have room for prompts and evidence."""


def predict_command(
    path: Path,
    arguments: Sequence[str],
    output: Path,
    format: str | None,
    *,
    skip_unreadable: bool,
    config: RuntimeConfig,
    overrides: Sequence[str],
    offline: bool,
    quiet: bool,
) -> None:
    """Predict pictures with an ensemble and write them keyed by image id."""
    chosen = format_of(output, format)
    check_writable(output)
    registry = Registry()
    ensemble = load_ensemble(ensemble_file(path), registry, overrides)
    shop = workshop(registry, config, offline=offline, quiet=quiet)
    images = _readable(folder_images(arguments), shop, skip=skip_unreadable)
    train = no_train_set(ensemble, shop)
    batch = predict_ensemble(ensemble, images, train, shop, words=chosen in WORDY)
    write_predictions(output, chosen, batch)
    typer.echo(f"{len(images)} pictures: {output}")


def ensemble_file(path: Path) -> Path:
    """The YAML file that an ensemble's path or a run's folder means.

    Raises:
        DataError: A folder without ``weights.yaml``.
    """
    if not path.is_dir():
        return path
    if not (path / WEIGHTS).is_file():
        raise DataError(f"{path}: no {WEIGHTS} in it, so it is no finished run")
    return path / WEIGHTS


def no_train_set(ensemble: Ensemble, shop: Workshop) -> TrainSet:
    """An empty train set: members either bring their artifact or need no training."""
    encoder = shop.text_encoder(ensemble.text_encoder)
    nothing = Embeddings((), np.empty((0, encoder.dim), np.float32))
    return TrainSet((), Images((), Files({})), nothing, encoder)


def _readable(images: Images, shop: Workshop, *, skip: bool) -> Images:
    """The pictures that can be read; without ``skip`` an unreadable one is an error."""
    problems = unreadable(images, shop.runtime.workers)
    if problems and not skip:
        raise DataError([*problems.values(), "use --skip-unreadable to leave these out"])
    for line in problems.values():
        print(f"skipped: {line}", file=sys.stderr)  # noqa: T201  # a report, not a result
    left = images.select([name for name in images.ids if name not in problems])
    if not left.ids:
        raise DataError("no picture that can be read is left")
    return left
