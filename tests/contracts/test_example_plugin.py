"""A third-party dataset and text encoder, installed as a package, under their contracts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from unprompt import Dataset, DatasetSpec, Runtime, TextEncoder, TextEncoderSpec
from unprompt._registry.plugins import Registry
from unprompt.testing import DatasetContract, TextEncoderContract
from unprompt.testing.text_encoder import MakeEncoder

InstallPlugin = Callable[..., Path]

PLUGIN = """
import numpy as np
from PIL import Image

from unprompt import (
    Dataset, DatasetSpec, Images, Model, Record, TextEncoder, TextEncoderSpec, hookimpl, unit
)


class Options(Model):
    count: int = 8


class Shades(Dataset):
    def __init__(self, options):
        self.ids = tuple(f"shade-{i}" for i in range(options.count))

    def records(self):
        return tuple(Record(name, name, f"grey wall, {name}") for name in self.ids)

    def images(self):
        return Images(self.ids, self)

    def open(self, image_id):
        shade = 9 * self.ids.index(image_id)
        return Image.new("RGB", (8, 8), (shade, shade, shade))

    def digest(self, image_id):
        return f"shades-1-{image_id}"


class Letters(TextEncoder):
    identity = "letters-1"
    dim = 61

    def __init__(self, options, runtime):
        pass

    def encode(self, texts):
        numbers = [[ord(letter) % self.dim for letter in text] for text in texts]
        counts = [np.bincount(line, minlength=self.dim) for line in numbers]
        return unit(np.stack(counts)) if counts else np.empty((0, self.dim), np.float32)


@hookimpl
def unprompt_dataset():
    return DatasetSpec("example", "shades of grey", Options, "example_plugin:Shades")


@hookimpl
def unprompt_text_encoder():
    return TextEncoderSpec("example", "counts of letters", Options, "example_plugin:Letters")
"""


class TestExampleDataset(DatasetContract):
    @pytest.fixture
    def make_dataset(self, install_plugin: InstallPlugin) -> Callable[[], Dataset]:
        install_plugin("example", PLUGIN)
        registry = Registry()
        spec = registry.spec("example", DatasetSpec)

        def build() -> Dataset:
            dataset: Dataset = registry.build(spec, spec.options())
            return dataset

        return build


class TestExampleTextEncoder(TextEncoderContract):
    @pytest.fixture
    def make_encoder(self, install_plugin: InstallPlugin) -> MakeEncoder:
        install_plugin("example", PLUGIN)
        registry = Registry()
        spec = registry.spec("example", TextEncoderSpec)

        def build(runtime: Runtime) -> TextEncoder:
            encoder: TextEncoder = registry.build(spec, spec.options(), runtime)
            return encoder

        return build
