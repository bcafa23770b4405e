"""Plots of a run beside the study's own, as optuna-dashboard keeps them; written without it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from unprompt.types import Json

if TYPE_CHECKING:
    import optuna

    from unprompt._runs.scores import Scores
    from unprompt._scoring.estimate import Estimate

_PLOT = "dashboard:plot_data:"
_LENGTH = 2045
"""Characters in a piece: what the attributes of an RDB storage could hold once."""


def save_plot(study: optuna.Study, name: str, figure: Mapping[str, Json]) -> None:
    """Replace a plot on a study's page.

    The format is that of ``optuna_dashboard.save_plotly_graph_object``: the figure's JSON in
    pieces, as system attributes.

    Args:
        study: Whose plot it is.
        name: Letters, digits and dashes, a letter first; another plot of this name is replaced.
        figure: A figure of Plotly as plain data: ``data`` and ``layout``.
    """
    storage, number = study._storage, study._study_id
    text = json.dumps(figure)
    key = f"{_PLOT}{name}:"
    starts = range(0, len(text), _LENGTH)
    pieces = {f"{key}{i}": text[at : at + _LENGTH] for i, at in enumerate(starts)}
    known = storage.get_study_system_attrs(number)
    # Attributes cannot be deleted: pieces that a longer plot has left behind become empty.
    left = {old: "" for old in known if old.startswith(key) and old not in pieces}
    for part, content in (pieces | left).items():
        storage.set_study_system_attr(number, part, content)


def scores_figure(scores: Scores) -> dict[str, Json]:
    """Members and blends on test with their intervals, between floor and oracle."""
    test = scores.test
    rows = [*test.members.items(), ("equal weights", test.equal)]
    rows += [("best trial", test.searched), ("searched weights", test.ensemble)]
    limits = [(name, value) for name, value in (("floor", test.floor), ("oracle", test.oracle))]
    lines = [
        {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1}
        for _, x in limits
        if x is not None
    ]
    texts = [
        {"x": x, "y": 1.06, "yref": "paper", "text": name, "showarrow": False}
        for name, x in limits
        if x is not None
    ]
    title = "Test split: mean cosine, 95 % intervals"
    return {"data": [_dots(rows)], "layout": _layout(title, lines, texts)}


def gains_figure(scores: Scores) -> dict[str, Json]:
    """What the blend loses on test without each member."""
    rows = [
        (f"without {name}", contribution.test.negated())
        for name, contribution in scores.leave_one_out.items()
    ]
    zero = [{"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1}]
    return {"data": [_dots(rows)], "layout": _layout("Test split: one member left out", zero, [])}


def _dots(rows: Sequence[tuple[str, Estimate]]) -> dict[str, Json]:
    """A dot with an interval for each row, the first on top."""
    down = rows[::-1]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [estimate.score for _, estimate in down],
        "y": [name for name, _ in down],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [estimate.high - estimate.score for _, estimate in down],
            "arrayminus": [estimate.score - estimate.low for _, estimate in down],
        },
    }


def _layout(title: str, lines: list[Json], texts: list[Json]) -> dict[str, Json]:
    return {
        "title": {"text": title},
        "shapes": [{**line, "line": {"dash": "dot", "width": 1}} for line in lines],
        "annotations": texts,
        "yaxis": {"automargin": True},
        "margin": {"t": 80},
    }
