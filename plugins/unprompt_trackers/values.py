"""A run as trackers keep it: flat names and plain values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

SPLITS = ("holdout", "test")
_BLENDS = ("ensemble", "equal")
_LIMITS = ("floor", "oracle")
_UNFIT = re.compile(r"[^\w\-. :/]")
"""What MLflow takes in no name."""
LONGEST = 250
"""Letters of a name that MLflow takes."""


def settings(experiment: Mapping[str, Any]) -> dict[str, str]:
    """The resolved configuration by path, as ``--set`` writes it: members by their names."""
    return {fit(path): _text(value) for path, value in _flat(experiment, "")}


def scores_of(scores: Mapping[str, Any]) -> dict[str, float]:
    """The scores of a run and its weights by name, such as ``test/ensemble``.

    Args:
        scores: The content of ``scores.json``.
    """
    values: dict[str, float] = {}
    for split in SPLITS:
        content = scores[split]
        scored = {name: content.get(name) for name in _BLENDS} | dict(content["members"])
        for name, entry in scored.items():
            if entry is not None:
                values[fit(f"{split}/{name}")] = entry["score"]
        for name in _LIMITS:
            if content.get(name) is not None:
                values[f"{split}/{name}"] = content[name]
        if content.get("gap_closed") is not None:
            values[f"{split}/gap closed"] = content["gap_closed"]
    return values | {fit(f"weight/{name}"): value for name, value in scores["weights"].items()}


def measured(member: str, values: Mapping[str, float]) -> dict[str, float]:
    """The metrics of a member's training by name, such as ``clip-l14/loss``."""
    return {fit(f"{member}/{name}"): value for name, value in values.items()}


def fit(name: str) -> str:
    """A name that every tracker takes."""
    return _UNFIT.sub("_", name)[:LONGEST]


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and all(_has_name(entry) for entry in value):
        for entry in value:
            rest = {key: inner for key, inner in entry.items() if key != "name"}
            yield from _flat(rest, f"{path}.{entry['name']}")
    else:
        yield path, value


def _has_name(entry: Any) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get("name"), str)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
