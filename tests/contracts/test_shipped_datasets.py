"""Every dataset that comes with unprompt keeps the contract of datasets."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
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


def image_file(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (5, 4), colour).save(file, "png")
    return file.getvalue()


class TestImageFolder(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_dataset(cls, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Dataset]:
        folder = tmp_path_factory.mktemp("imagefolder") / "images"
        save_images(folder)
        for name in COLOURS:
            (folder / f"{name}.txt").write_text(f"a {name} wall")
        return built("imagefolder", folder=str(folder))


class TestWebDataset(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_dataset(cls, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Dataset]:
        folder = tmp_path_factory.mktemp("webdataset")
        for shard in range(2):
            with tarfile.open(folder / f"{shard}.tar", "w") as archive:
                for name in COLOURS:
                    text = f"a {name} wall".encode()
                    for suffix, content in (("png", image_file(name)), ("txt", text)):
                        member = tarfile.TarInfo(f"{name}.{suffix}")
                        member.size = len(content)
                        archive.addfile(member, io.BytesIO(content))
        return built("webdataset", shards=str(folder / "{0..1}.tar"))


class TestParquetImages(DatasetContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_dataset(cls, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Dataset]:
        path = tmp_path_factory.mktemp("parquet") / "train.parquet"
        table = {
            "image": [{"bytes": image_file(name), "path": None} for name in COLOURS],
            "text": [f"a {name} wall" for name in COLOURS],
            "split": ["train", "train", "validation", "test", "test"],
        }
        pq.write_table(pa.table(table), path, row_group_size=2)
        return built("parquet-images", shards=str(path))
