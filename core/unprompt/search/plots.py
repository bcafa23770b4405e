"""Plots of a run's scores, to show on its study's page beside Optuna's own."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from unprompt.types import Json


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of Plotly as plain data: plotly itself would install 75 MB to write 2 kB of JSON.

    ``optuna_dashboard.save_plotly_graph_object`` takes it, as `to_json` is all that it calls.

    Attributes:
        data: The traces.
        layout: Title, lines and margins.
    """

    data: list[dict[str, Json]]
    layout: dict[str, Json]

    def to_json(self) -> str:
        """As ``plotly.graph_objects.Figure.to_json``."""
        return json.dumps(asdict(self))


def scores_figure(scores: Json) -> Figure:
    """Members and blends on test with their intervals, between floor and oracle.

    Args:
        scores: The content of ``scores.json``.
    """
    test = scores["test"]
    entries = {
        **test["members"],
        "equal weights": test["equal"],
        "best trial": test["searched"],
        "searched weights": test["ensemble"],
    }
    limits = {name: test[name] for name in ("floor", "oracle") if test[name] is not None}
    rows = [(name, entry["score"], entry["ci95"]) for name, entry in entries.items()]
    return _figure("Test split: mean cosine, 95 % intervals", rows, limits)


def contributions_figure(scores: Json) -> Figure:
    """What the blend loses on test without each member.

    Args:
        scores: The content of ``scores.json``.
    """
    rows = []
    for name, contribution in scores["leave_one_out"].items():
        low, high = contribution["test"]["ci95"]
        rows.append((f"without {name}", -contribution["test"]["score"], [-high, -low]))
    return _figure("Test split: one member left out", rows, {"": 0.0})


def _figure(title: str, rows: list[tuple[str, float, list[float]]], limits: Json) -> Figure:
    """A dot with its interval for each row, the first on top, and a dotted line at each limit."""
    upwards = rows[::-1]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": [value for _, value, _ in upwards],
        "y": [name for name, _, _ in upwards],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [high - value for _, value, (_, high) in upwards],
            "arrayminus": [value - low for _, value, (low, _) in upwards],
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
