"""Subsets of the test images as text tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from unprompt._cli.cells import judged, text_table
from unprompt._runs.scores import SplitScores
from unprompt._scoring.digits import fixed, interval, with_interval
from unprompt._scoring.estimate import Estimate

MOST_ROWS = 20
"""Subsets that have a row in tables; JSON has all."""
_COLUMNS = 3
"""Subsets that have a column beside others; more would make lines too long to read."""


def subset_table(test: SplitScores) -> list[str]:
    """A row for each subset: its best member, the blend, and how much better that is."""
    if not test.subsets:
        return []
    header = ["subset", "images", "best member", "", "searched weights", "gap closed"]
    header += ["searched - best member"]
    rows = [
        [
            name,
            str(subset.images),
            subset.best_member,
            fixed(subset.members[subset.best_member].score),
            with_interval(subset.ensemble, signed=False),
            _gap(subset.ensemble.gap_closed),
            judged(subset.paired.ensemble_minus_best_member, subset.groups),
        ]
        for name, subset in [*test.subsets.items()][:MOST_ROWS]
    ]
    more = len(test.subsets) - len(rows)
    return ["", text_table(header, rows), *([f"and {more} more in scores.json"] if more else [])]


def gain_columns(subsets: Iterable[str]) -> list[str]:
    """Headers for what each member adds on each subset; none where there are many."""
    names = [*subsets]
    return [f"on {name}" for name in names] if len(names) <= _COLUMNS else []


def gain_cells(gains: Mapping[str, Estimate]) -> list[str]:
    """What the blend loses without a member, below `gain_columns`."""
    cells = [with_interval(gain.negated()) for gain in gains.values()]
    return cells if len(cells) <= _COLUMNS else []


def _gap(gap: Estimate | None) -> str:
    return (
        "" if gap is None else f"{fixed(gap.score, 1, percent=True)} {interval(gap, percent=True)}"
    )
