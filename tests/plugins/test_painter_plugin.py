"""The embedded world through the contract of datasets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

import unprompt_painter
from unprompt._data.prompts import prompt_id
from unprompt._registry.plugins import Registry
from unprompt.contracts import Dataset
from unprompt.contracts.specs import DatasetSpec
from unprompt.errors import DataError
from unprompt_painter.painter import Painter, PainterOptions


def painter(seed: int = 7, images: int = 40, size: int = 32) -> Painter:
    return Painter(PainterOptions(seed=seed, images=images, size=size))


def test_it_is_what_its_spec_names() -> None:
    registry = Registry()
    spec = registry.spec("painter", DatasetSpec)
    dataset = registry.build(spec, spec.options())
    assert isinstance(dataset, Painter)
    assert isinstance(dataset, Dataset)
    assert len(dataset.images()) == 6000


def test_records_and_images_have_the_same_ids() -> None:
    world = painter()
    records, images = world.records(), world.images()
    assert tuple(record.image_id for record in records) == images.ids
    assert len(set(images.ids)) == 40
    assert all(record.prompt == record.prompt.strip() != "" for record in records)
    assert {record.group for record in records} == {record.split for record in records} == {None}


def test_prompt_ids_are_those_of_the_prompts() -> None:
    records = painter(images=400).records()
    assert [record.prompt_id for record in records] == [prompt_id(r.prompt) for r in records]
    assert len({record.prompt_id for record in records}) == len({r.prompt for r in records})


def test_a_larger_world_begins_as_the_smaller_one() -> None:
    small, large = painter(images=10), painter(images=30)
    assert large.records()[:10] == small.records()
    name = small.images().ids[3]
    assert small.images().open(name).tobytes() == large.images().open(name).tobytes()
    assert small.images().digest(name) == large.images().digest(name)


def test_images_are_rgb_of_the_asked_size_and_always_the_same() -> None:
    images = painter(size=48).images()
    for name in images.ids[:5]:
        image = images.open(name)
        assert (image.mode, image.size) == ("RGB", (48, 48))
        assert image.tobytes() == painter(size=48).images().open(name).tobytes()
    assert len({images.open(name).tobytes() for name in images.ids}) == len(images)


def test_the_digest_changes_with_whatever_changes_the_image() -> None:
    digests = {
        painter(seed=seed, size=size).images().digest(name)
        for seed in (7, 8)
        for size in (32, 48)
        for name in ("000000", "000001")
    }
    assert len(digests) == 8


def test_the_digest_changes_with_a_figure(tmp_path: Path) -> None:
    package = tmp_path / "unprompt_painter"
    shutil.copytree(
        Path(unprompt_painter.__file__).parent,
        package,
        ignore=shutil.ignore_patterns("checkpoints"),
    )
    code = (
        "from unprompt_painter.painter import Painter, PainterOptions\n"
        "print(Painter(PainterOptions()).images().digest('000000'))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    digests = []
    for line in ("", "- oval ink  50,50 5\n"):
        with (package / "data" / "figures" / "fox.yaml").open("a", encoding="utf-8") as file:
            file.write(line)
        command = [sys.executable, "-c", code]
        digests.append(subprocess.check_output(command, env=environment, text=True))
    assert digests[0] != digests[1]


def test_other_seeds_are_other_worlds() -> None:
    first_prompts, second_prompts = (
        [record.prompt for record in painter(seed=seed).records()] for seed in (7, 8)
    )
    assert len(set(first_prompts) & set(second_prompts)) < 4
    pixels = [painter(seed=seed).images().open("000000").tobytes() for seed in (7, 8)]
    assert pixels[0] != pixels[1]


def test_wordings_are_drawn_for_each_image() -> None:
    world = painter()
    ids = world.images().ids[5:10]
    wordings = world.wordings(ids, 6)
    assert tuple(wordings) == ids
    assert all(len(texts) == 6 for texts in wordings.values())
    assert all(text.strip() for texts in wordings.values() for text in texts)
    assert world.wordings(ids, 6) == wordings
    assert any(len(set(texts)) > 1 for texts in wordings.values())


def test_an_image_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DataError, match="no image for '000099'"):
        painter().images().select(["000001", "000099"])


@pytest.mark.parametrize("options", [{"seed": -1}, {"images": 0}, {"size": 8}, {"size": "128"}])
def test_options_that_make_no_world_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PainterOptions.model_validate(options)
