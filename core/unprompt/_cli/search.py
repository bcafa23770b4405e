"""``unprompt search``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from unprompt._api import search
from unprompt._cli.console import progress_on
from unprompt._cli.tables import search_lines


def search_command(path: Path, overrides: Sequence[str], *, offline: bool, quiet: bool) -> None:
    """Fill the study, print what it came to, and its storage on the last line."""
    progress = progress_on(quiet=quiet)
    study = search(path, overrides=overrides, offline=offline, progress=progress)
    typer.echo(search_lines(study.result.summary, study.weights))
    typer.echo(study.storage)
