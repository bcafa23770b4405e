"""``unprompt compare``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import typer

from unprompt._cli.tables import FEW_GROUPS, text_table
from unprompt._pipeline.compare import Comparison, Standing, compare
from unprompt._scoring.intervals import Score
from unprompt.types import Json


def compare_command(runs: Sequence[Path], *, as_json: bool) -> None:
    """Print paired differences of runs on test: each run minus the first one."""
    found = compare(runs)
    typer.echo(json.dumps(_plain(found), indent=2) if as_json else _table(found))


def _table(found: Comparison) -> str:
    """Two lines a run: its blend, and its best member."""
    rows: list[list[str]] = []
    for line in found.lines:
        rows.append([str(line.folder), "ensemble", *_cells(line.ensemble, found.groups)])
        best = f"best member: {line.best_member.name}"
        rows.append(["", best, *_cells(line.best_member, found.groups)])
    header = ["", "", "test", "minus first", "95 % interval", ""]
    return "\n".join(
        [
            f"{found.images} test pictures in {found.groups} groups, the same in all runs",
            "",
            text_table(header, rows),
        ]
    )


def _cells(standing: Standing, groups: int) -> list[str]:
    mean, versus = f"{standing.score:.4f}", standing.minus_first
    if versus is None:
        return [mean, "", "", ""]
    interval = f"[{versus.low:+.4f}, {versus.high:+.4f}]"
    return [mean, f"{versus.mean:+.4f}", interval, _verdict(versus, groups)]


def _verdict(versus: Score, groups: int) -> str:
    if groups < FEW_GROUPS:
        return f"{groups} groups are too few to tell"
    return "better" if versus.low > 0 else "worse" if versus.high < 0 else "no clear difference"


def _plain(found: Comparison) -> dict[str, Json]:
    def entry(standing: Standing) -> dict[str, Json]:
        versus = standing.minus_first
        plain: dict[str, Json] = {"name": standing.name, "score": standing.score}
        if versus is None:
            return plain | {"minus_first": None}
        return plain | {"minus_first": versus.plain() | {"verdict": _verdict(versus, found.groups)}}

    return {
        "images": found.images,
        "groups": found.groups,
        "bootstrap": found.config.bootstrap,
        "seed": found.config.seed,
        "runs": [
            {
                "run": str(line.folder),
                "experiment": line.experiment,
                "ensemble": entry(line.ensemble),
                "best_member": entry(line.best_member),
            }
            for line in found.lines
        ],
    }
