"""The program that counts how near the towers' training prompts come to test prompts."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt._registry.parts import Part
from unprompt._registry.plugins import Registry
from unprompt.contracts.specs import DatasetSpec
from unprompt_painter.world import World

PROGRAM = Path(__file__).parents[2] / "experiments" / "benchmarks" / "training_prompts.py"

CARELESS = """
from unprompt import Dataset, DatasetSpec, Model, Record, hookimpl

class Options(Model):
    unseen: float = 0.0

class Careless(Dataset):
    def __init__(self, options):
        pass

    def records(self):
        return tuple(Record(str(i), str(i), str(i), subset="unseen") for i in range(3))

    def images(self):
        raise NotImplementedError

@hookimpl
def unprompt_dataset():
    return DatasetSpec("careless", "leaves nothing out", Options, f"{__name__}:Careless")
"""


@pytest.fixture(scope="module")
def program() -> dict[str, Any]:
    return runpy.run_path(str(PROGRAM))


def world_of(program: dict[str, Any], plugin: str, count: int, **options: object) -> Any:
    spec = Registry().spec(plugin, DatasetSpec)
    return program["World"](Part(spec, spec.options.model_validate(options)), count)


def test_training_images_are_counted_by_subset(program: dict[str, Any]) -> None:
    counts = program["subset_counts"]
    training = world_of(program, "painter", 40, seed=1, images=50, unseen=0.0)
    assert training.name == "painter 1 (unseen 0)"
    assert counts(training, Registry()) == " (40 seen)"
    plain = world_of(program, "painter", 40, seed=1, images=50)
    unseen = sum(World(1).subset(index) == "unseen" for index in range(40))
    assert plain.name == "painter 1"
    assert counts(plain, Registry()) == f" ({40 - unseen} seen, {unseen} unseen)"


def test_an_unseen_image_where_none_should_be_ends_the_program(
    program: dict[str, Any], install_plugin: Callable[..., Path]
) -> None:
    install_plugin("careless", CARELESS)
    world = world_of(program, "careless", 2, unseen=0.0)
    with pytest.raises(SystemExit, match=r"careless \(unseen 0\): 2 images of unseen"):
        program["subset_counts"](world, Registry())


def test_near_prompts_are_counted_for_each_subset(program: dict[str, Any]) -> None:
    test = program["Test"](
        ("a", "b", "c", "d"),
        np.eye(4, dtype=np.float32),
        program["masks"](["unseen", "seen", None, "seen"]),
    )
    assert test.counts(np.array([0.75, 2, 0.95, 0.1], np.float32)) == (
        "of 4: 0.7: 3, 0.8: 2, 0.9: 2, word for word: 1; "
        "of 2 seen: 0.7: 1, 0.8: 1, 0.9: 1, word for word: 1; "
        "of 1 unseen: 0.7: 1, 0.8: 0, 0.9: 0, word for word: 0"
    )
