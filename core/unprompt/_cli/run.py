"""``unprompt run``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from unprompt._api import run
from unprompt._cli.console import progress_on
from unprompt._cli.tables import scores_table


def run_command(
    path: Path, overrides: Sequence[str], output: Path | None, *, offline: bool, quiet: bool
) -> None:
    """Run an experiment, print its scores, and its folder on the last line."""
    progress = progress_on(quiet=quiet)
    finished = run(path, overrides=overrides, output=output, offline=offline, progress=progress)
    typer.echo(scores_table(finished.scores))
    typer.echo(str(finished.folder))
