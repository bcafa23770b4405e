"""The datasets painter, kaggle and pairs keep the contract of datasets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from unprompt import Dataset, DatasetSpec
from unprompt._registry.plugins import Registry
from unprompt.testing import DatasetContract

COLOURS = ("red", "green", "blue", "black", "white")


def built(plugin: str, **options: object) -> Callable[[], Dataset]:
    """A function that builds the plugin's dataset as a run does."""

    def build() -> Dataset:
        registry = Registry()
        spec = registry.spec(plugin, DatasetSpec)
        dataset: Dataset = registry.build(spec, spec.options.model_validate(options))
        return dataset

    return build


def save_images(folder: Path) -> None:
    folder.mkdir()
    for name in COLOURS:
        Image.new("RGB", (5, 4), name).save(folder / f"{name}.png")


class TestPainter(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_dataset(cls) -> Callable[[], Dataset]:
        return built("painter", seed=3, images=12, size=32)


class TestKaggle(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_dataset(cls, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Dataset]:
        folder = tmp_path_factory.mktemp("kaggle")
        save_images(folder / "images")
        rows = [f'{name},"a {name} wall, seen from afar"' for name in COLOURS]
        (folder / "prompts.csv").write_text("\n".join(["imgId,prompt", *rows]))
        return built("kaggle", folder=str(folder))


class TestPairs(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_dataset(cls, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Dataset]:
        folder = tmp_path_factory.mktemp("pairs")
        save_images(folder / "images")
        splits = ("train", "train", "val", "test", "test")
        rows = [
            f"images/{name}.png,a {name} wall,group-{name},{split}"
            for name, split in zip(COLOURS, splits, strict=True)
        ]
        (folder / "table.csv").write_text("\n".join(["image,prompt,group,split", *rows]))
        return built("pairs", table=str(folder / "table.csv"))
