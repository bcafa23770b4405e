"""An experiment and a recipe whose trainings take seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

MEMBER = "tuned"
AUGMENTED: dict[str, Any] = {
    "augment": ["crop", {"erase": {"probability": 0.5}}],
    "accumulate": 2,
    "ema": 0.9,
    "layer_decay": 0.7,
    "decay_to_start": 0.1,
    "wise_ft": [0.3, 0.6],
}


def write_experiment(path: Path, tower: Path, images: int = 80, **training: Any) -> Path:
    """An experiment with one member, `MEMBER`, that trains a small tower on small images."""
    options = {"epochs": 2, "batch_size": 8, "validation": 0.2, "learning_rate": 1e-3, **training}
    content = {
        "name": path.stem,
        "data": {
            "plugin": "painter",
            "options": {"seed": 11, "images": images, "size": 32},
            "split": {"train": 0.6, "holdout": 0.2, "test": 0.2, "seed": 0},
        },
        "ensemble": {
            "members": [
                {
                    "name": MEMBER,
                    "plugin": "clip-l14",
                    "options": {"backbone": {"folder": str(tower)}, "training": options},
                }
            ]
        },
        "search": {"trials": 2, "ablations": []},
    }
    path.write_text(yaml.safe_dump(content))
    return path


def write_recipe(path: Path, tower: Path, **training: Any) -> Path:
    """A recipe of the objective `regression` for the tower's configuration."""
    options = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, **training}
    content = {
        "name": path.stem,
        "objective": "regression",
        "tower": str(tower),
        "data": {"plugin": "painter", "options": {"seed": 12, "images": 72, "size": 32}},
        "validation": 16,
        "test": 8,
        "training": options,
    }
    path.write_text(yaml.safe_dump(content))
    return path


def copy_configuration(tower: Path, folder: Path) -> Path:
    """A folder with what describes a tower, without its parameters."""
    folder.mkdir()
    for path in tower.glob("*.json"):
        (folder / path.name).write_text(json.dumps(json.loads(path.read_text())))
    return folder


def switches(options: Mapping[str, Any]) -> list[str]:
    """``--set`` for each."""
    return [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
