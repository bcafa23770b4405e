"""Plots of a run's scores, to show on its study's page beside Optuna's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from unprompt._runs.scores import Scores
from unprompt._scoring.estimate import Estimate


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of Plotly as plain data: plotly itself would install 75 MB to write 2 kB of JSON.

    ``optuna_dashboard.save_plotly_graph_object`` takes it, as `to_json` is all that it calls.

    Attributes:
        data: The traces.
        layout: Title, lines and margins.
    """

    data: Sequence[Mapping[str, object]]
    layout: Mapping[str, object]

    def to_json(self) -> str:
        """As ``plotly.graph_objects.Figure.to_json``."""
        return json.dumps(asdict(self))


def scores_figure(scores: Scores) -> Figure:
    """Members and blends on test with their intervals, between floor and oracle."""
    test = scores.test
    rows: dict[str, Estimate] = {
        **test.members,
        "equal weights": test.equal,
        "best trial": test.searched,
        "searched weights": test.ensemble,
    }
    if test.query is not None:
        rows["query itself"] = test.query
    limits = {"floor": test.floor} | ({} if test.oracle is None else {"oracle": test.oracle})
    return _figure("Test split: mean cosine, 95 % intervals", rows, limits)


def contributions_figure(scores: Scores) -> Figure:
    """What the blend loses on test without each member."""
    rows = {
        f"without {name}": contribution.test.negated()
        for name, contribution in scores.leave_one_out.items()
    }
    return _figure("Test split: one member left out", rows, {"": 0.0})


def _figure(title: str, rows: Mapping[str, Estimate], limits: Mapping[str, float]) -> Figure:
    """A dot with its interval for each row, the first on top, and a dotted line at each limit."""
    upwards = list(rows.items())[::-1]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": [estimate.score for _, estimate in upwards],
        "y": [name for name, _ in upwards],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [estimate.drawn[1] - estimate.score for _, estimate in upwards],
            "arrayminus": [estimate.score - estimate.drawn[0] for _, estimate in upwards],
        },
    }
    line = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "line": {"dash": "dot", "width": 1}}
    label = {"y": 1.06, "yref": "paper", "showarrow": False}
    layout = {
        "title": {"text": title},
        "shapes": [line | {"x0": x, "x1": x} for x in limits.values()],
        "annotations": [label | {"x": x, "text": name} for name, x in limits.items() if name],
        "yaxis": {"automargin": True},
        "margin": {"t": 80},
    }
    return Figure([dots], layout)
