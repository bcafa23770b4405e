"""``unprompt compare``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from unprompt._cli.tables import interval, text_table, verdict_words
from unprompt._runs.compare import Comparison, Standing, compare


def compare_command(runs: Sequence[Path], *, as_json: bool) -> None:
    """Print paired differences of runs on test: each run minus the first one."""
    comparison = compare(runs)
    typer.echo(comparison.model_dump_json(indent=2) if as_json else _table(comparison))


def _table(comparison: Comparison) -> str:
    """Two lines a run: its blend, and its best member."""
    rows: list[list[str]] = []
    for line in comparison.runs:
        rows.append([line.run, "ensemble", *_cells(line.ensemble, comparison.groups)])
        best = f"best member: {line.best_member.name}"
        rows.append(["", best, *_cells(line.best_member, comparison.groups)])
    header = ["", "", "test", "minus first", "95 % interval", ""]
    sizes = f"{comparison.images} test images in {comparison.groups} groups, the same in all runs"
    return f"{sizes}\n\n{text_table(header, rows)}"


def _cells(standing: Standing, groups: int) -> list[str]:
    mean, difference = f"{standing.score:.4f}", standing.minus_first
    if difference is None:
        return [mean, "", "", ""]
    words = verdict_words(difference.verdict, groups)
    return [mean, f"{difference.score:+.4f}", interval(difference.ci95, "+.4f"), words]
