"""``unprompt search``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from unprompt._cli.setup import workshop
from unprompt._cli.tables import search_lines
from unprompt._pipeline.study import run_search
from unprompt._registry.loading import load_experiment
from unprompt._registry.plugins import Registry


def search_command(path: Path, overrides: Sequence[str], *, offline: bool, quiet: bool) -> None:
    """Fill the study, print what it found, and its storage on the last line."""
    registry = Registry()
    experiment = load_experiment(path, registry, overrides)
    shop = workshop(registry, experiment.config.runtime, offline=offline, quiet=quiet)
    found, where = run_search(experiment, path, shop)
    names = [member.name for member in experiment.ensemble.members]
    typer.echo(search_lines(found.summary, dict(zip(names, found.weights, strict=True))))
    typer.echo(where)
