"""What checkpoints were trained on: the file beside them, and what a run says of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from unprompt._members.training import FILE, read_training, training_notes
from unprompt._registry.loading import load_experiment
from unprompt._registry.plugins import Registry
from unprompt.errors import DataError

VISION = Path(__file__).parents[2] / "plugins" / "unprompt_painter" / "checkpoints" / "vision-a"


def part(seed: int, images: int = 40, plugin: str = "painter") -> dict[str, Any]:
    return {"plugin": plugin, "options": {"seed": seed}, "images": images, "seed": 1}


def notes(folder: Path, *towers: list[dict[str, Any]] | None) -> tuple[str, ...]:
    """Of an experiment in painter's world whose members have these trainings behind them."""
    members = []
    for number, trainings in enumerate(towers):
        tower = folder / f"tower-{number}"
        shutil.copytree(VISION, tower)
        (tower / FILE).unlink()
        if trainings is not None:
            (tower / FILE).write_text(json.dumps(trainings))
        options = {"backbone": {"folder": str(tower)}}
        members.append({"plugin": "clip-l14", "name": f"m{number}", "options": options})
    experiment = {
        "name": "own",
        "data": {"plugin": "painter", "options": {"seed": 7}},
        "ensemble": {"members": members},
    }
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(experiment))
    return training_notes(load_experiment(path, Registry()))


def test_checkpoints_of_the_runs_own_kind_of_data_are_named(tmp_path: Path) -> None:
    (note,) = notes(
        tmp_path,
        [part(1001), part(1002, 60), part(1001)],  # a dataset seen twice is one
        [part(1002, 60)],
        [part(1, plugin="pairs")],
        None,
    )
    assert note.startswith("checkpoints of m0, m1 were trained on 100 samples of painter in 2 data")


@pytest.mark.parametrize("trainings", [None, [], [part(1, plugin="pairs")]])
def test_there_is_no_note_where_nothing_is_known_or_alike(
    trainings: list[dict[str, Any]] | None, tmp_path: Path
) -> None:
    assert notes(tmp_path, trainings) == ()


@pytest.mark.parametrize("damage", ["", "{", "{}", '[{"plugin": 3}]', "[[[", "\x00", "[" * 100_000])
def test_a_damaged_file_is_one_line_that_names_it(damage: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(damage)
    with pytest.raises(DataError, match=rf"{FILE}: does not say what was trained on") as caught:
        read_training(tmp_path)
    assert len(caught.value.problems) == 1
