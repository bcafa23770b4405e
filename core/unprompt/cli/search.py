"""``unprompt search``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from unprompt.assembly import load_experiment
from unprompt.cli.setup import workshop
from unprompt.cli.tables import search_lines
from unprompt.registry import Registry
from unprompt.run.study import run_search


def search_command(path: Path, overrides: Sequence[str], *, offline: bool, quiet: bool) -> None:
    """Fill the study, print what it found, and its storage on the last line."""
    registry = Registry()
    experiment = load_experiment(path, registry, overrides)
    shop = workshop(registry, experiment.config.runtime, offline=offline, quiet=quiet)
    found, where = run_search(experiment, path, shop)
    names = [member.name for member in experiment.ensemble.members]
    summary, weights = found.summary.model_dump(mode="json"), found.weights
    typer.echo(search_lines(summary, dict(zip(names, weights, strict=True))))
    typer.echo(where)
