"""``unprompt run``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from unprompt._cli.setup import workshop
from unprompt._cli.tables import scores_table
from unprompt._pipeline.execute import run_experiment
from unprompt._registry.loading import load_experiment
from unprompt._registry.plugins import Registry


def run_command(
    path: Path, overrides: Sequence[str], output: Path | None, *, offline: bool, quiet: bool
) -> None:
    """Run an experiment, print its scores, and its folder on the last line."""
    registry = Registry()
    experiment = load_experiment(path, registry, overrides)
    shop = workshop(registry, experiment.config.runtime, offline=offline, quiet=quiet)
    folder, scores = run_experiment(experiment, path, output, shop)
    typer.echo(scores_table(scores))
    typer.echo(str(folder))
