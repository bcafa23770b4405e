"""``unprompt report``."""

from __future__ import annotations

from pathlib import Path

import typer

from unprompt._report.build import write_report


def report_command(run: Path) -> None:
    """Rebuild ``report.html`` of a run's folder and print its path."""
    typer.echo(str(write_report(run)))
