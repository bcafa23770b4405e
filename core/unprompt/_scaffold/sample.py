"""Images with their prompts in side files, for the example of a new dataset."""

from __future__ import annotations

from pathlib import Path

from unprompt._registry.plugins import Registry
from unprompt.contracts import Dataset
from unprompt.contracts.specs import DatasetSpec

_PLUGIN = "painter"
_COUNT = 90
"""Enough for three splits with groups of near-duplicates in each."""


def write_sample(folder: Path, registry: Registry) -> None:
    """Draw images of the dataset that comes with unprompt: ``000.png``, its prompt ``000.txt``.

    Args:
        folder: Is made.
        registry: Knows the dataset.

    Raises:
        PluginError: The dataset is not there, as where UNPROMPT_PLUGINS leaves it out.
    """
    spec = registry.spec(registry.own(_PLUGIN), DatasetSpec)
    dataset: Dataset = registry.build(spec, spec.options(seed=7, images=_COUNT, size=64))
    images = dataset.images()
    folder.mkdir(parents=True)
    for record in dataset.records():
        name = record.image_id[-3:]
        images.open(record.image_id).save(folder / f"{name}.png", optimize=True)
        (folder / f"{name}.txt").write_text(record.prompt + "\n", encoding="utf-8")
