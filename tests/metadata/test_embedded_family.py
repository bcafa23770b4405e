"""The family ``embedded-metadata``: what it gives for files, as YAML builds it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unprompt import Batch, DataError, Images, PromptReader, Reading, Runtime, folder_images
from unprompt._data.memory import MemoryImages
from unprompt._registry.check import check_plugins
from unprompt._registry.plugins import Registry
from unprompt.contracts.specs import PredictorSpec
from unprompt.testing import (
    HashedWords,
    PredictorContract,
    Prepared,
    example_train_set,
    make_prepared,
)

from .test_generators import NOVELAI, NOVELAI_4, PROMPT, WEB_UI
from .writing import write_jpeg_exif, write_png, write_stealth, write_webp

NAME = "embedded-metadata"
MANIFEST = struct.pack(">I4sI4s", 60, b"jumb", 30, b"jumd") + b"c2pa" + bytes(40)


def family(**options: Any) -> PromptReader:
    registry = Registry()
    spec = registry.spec(NAME, PredictorSpec)
    given = spec.options.model_validate(options)
    built = registry.build(spec, given, Runtime(batch_size=2, text_encoder=HashedWords()))
    assert isinstance(built, PromptReader)
    return built


def write_examples(folder: Path) -> Images:
    write_png(folder / "web-ui.png", {"parameters": WEB_UI})
    write_jpeg_exif(folder / "nothing.jpg")
    write_webp(folder / "dog.webp", "a dog\nSteps: 20, Sampler: x, Seed: 1, Size: 8x6")
    write_png(folder / "workflow.png", {"workflow": '{"nodes": []}'})
    write_png(folder / "signed.png", {}, c2pa=MANIFEST)
    return folder_images([folder])


@pytest.fixture
def images(tmp_path: Path) -> Images:
    return write_examples(tmp_path)


class TestContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
        registry = Registry()
        spec = registry.spec(NAME, PredictorSpec)

        def build(options: Any, runtime: Runtime) -> Any:
            return registry.build(spec, options, runtime)

        return make_prepared(build, spec.options(), tmp_path_factory.mktemp("artifact"))

    @pytest.fixture(scope="class")
    @classmethod
    def images(cls, tmp_path_factory: pytest.TempPathFactory) -> Images:
        return write_examples(tmp_path_factory.mktemp("images"))


def test_it_learns_and_keeps_nothing(tmp_path: Path) -> None:
    reader = family()
    reader.prepare(example_train_set(), tmp_path)
    assert list(tmp_path.iterdir()) == []
    reader.load(tmp_path)
    assert (reader.needs(), reader.towers(), reader.identity()) == ((), {}, {})


def test_what_it_reads(images: Images) -> None:
    readings = {reading.image_id: reading for reading in family().read(images)}
    assert readings == {
        "web-ui": Reading("web-ui", PROMPT, "A1111, png:parameters"),
        "nothing": Reading("nothing"),
        "dog": Reading("dog", "a dog", "A1111, exif:UserComment"),
        "workflow": Reading(
            "workflow", remark="png:workflow: a ComfyUI workflow without the graph that ran"
        ),
        "signed": Reading(
            "signed", remark="has a C2PA manifest: provenance, which holds no prompt"
        ),
    }


def test_rows_are_of_the_text_encoder_and_zero_elsewhere(images: Images) -> None:
    batches = list(family().predict(images))
    assert all(isinstance(batch, Batch) and len(batch.prompts) <= 2 for batch in batches)
    kinds = {
        name: [piece.kind for piece in pieces]
        for batch in batches
        for name, pieces in zip(batch.embeddings.ids, batch.evidence, strict=True)
    }
    assert kinds["dog"] == ["read (A1111, exif:UserComment)"]
    assert kinds["nothing"] == kinds["signed"] == []
    rows = {
        name: row
        for batch in batches
        for name, row in zip(batch.embeddings.ids, batch.embeddings.rows, strict=True)
    }
    np.testing.assert_array_equal(rows["dog"], HashedWords().encode(["a dog"])[0])
    assert not rows["signed"].any()


def test_characters_are_appended_where_asked_for(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", {**NOVELAI, "Comment": NOVELAI_4})
    files = folder_images([tmp_path])
    (plain,) = family().read(files)
    (whole,) = family(characters=True).read(files)
    assert (plain.prompt, whole.prompt) == (PROMPT, f"{PROMPT}, girl, red hair")


def test_pixels_are_read_unless_switched_off(tmp_path: Path) -> None:
    write_stealth(tmp_path / "a.png", WEB_UI)
    files = folder_images([tmp_path])
    (seen,) = family().read(files)
    (blind,) = family(stealth=False).read(files)
    assert (seen.prompt, blind.prompt) == (PROMPT, None)


def test_images_in_memory_have_nothing_to_read(images: Images) -> None:
    pixels = MemoryImages({"a": Image.new("RGB", (4, 4))})
    assert list(family().read(Images(("a",), pixels))) == [Reading("a")]


def test_what_is_damaged_is_remarked_on_and_what_is_gone_is_an_error(
    tmp_path: Path, images: Images
) -> None:
    path = images.path("web-ui")
    assert path is not None
    raw = path.read_bytes()
    path.write_bytes(raw[: raw.index(b"iTXt") + 40])
    (cut,) = family().read(images.select(["web-ui"]))
    assert cut.prompt is None and cut.remark
    assert "\n" not in cut.remark
    path.unlink()
    with pytest.raises(DataError, match=r"web-ui\.png"):
        list(family().read(images))


def test_the_plugin_keeps_the_rules() -> None:
    (status,) = [
        status for status in check_plugins(Registry(), patience=60) if status.claim.name == NAME
    ]
    assert (status.offers, status.error) == (("predictor",), None)
    assert Registry().spec(NAME, PredictorSpec).reads
