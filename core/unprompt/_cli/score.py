"""``unprompt score``."""

from __future__ import annotations

from pathlib import Path

import typer

from unprompt._api import score
from unprompt._cli.console import progress_on


def score_command(predictions: Path, prompts: Path, *, quiet: bool) -> None:
    """Print the mean cosine with its interval over groups of near-duplicate prompts."""
    result = score(predictions, prompts, progress=progress_on(quiet=quiet))
    typer.echo(
        f"{result.score:.6f} (95 % interval {result.low:.6f} to {result.high:.6f}; "
        f"{result.images} images in {result.groups} groups)"
    )
