"""Captions by a small BLIP of random parameters, and what is said of one that is broken."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from unprompt.contracts import Runtime
from unprompt.errors import ConfigError, DataError, MissingFileError
from unprompt.testing import example_images
from unprompt_blip.captioner import Captioner, tidy
from unprompt_blip.sources import FolderCaptioner

from .small_towers import SPECIAL, WORDS, save_chat


def captioner(blip: Path, **given: Any) -> Captioner:
    config = FolderCaptioner.model_validate({"folder": str(blip), "max_tokens": 6, **given})
    return Captioner(config, Runtime(batch_size=3))


# Captions


def test_captions_do_not_depend_on_batch_or_order(blip: Path) -> None:
    images = example_images()
    config = FolderCaptioner.model_validate({"folder": str(blip), "max_tokens": 8})
    captions = [
        Captioner(config, Runtime(batch_size=size)).captions(some)
        for size, some in ((1, images), (3, images.select(images.ids[::-1])), (64, images))
    ]
    assert captions[0] == captions[1] == captions[2]
    assert len(set(captions[0].values())) > 1
    assert set(" ".join(captions[0].values()).split()) <= {*WORDS, *SPECIAL}


def test_lengths_and_beams(blip: Path) -> None:
    images = example_images()
    short = captioner(blip, max_tokens=2).captions(images)
    assert {len(text.split()) for text in short.values()} == {2}
    beamed = captioner(blip, beams=3).captions(images)
    assert beamed == captioner(blip, beams=3).captions(images)
    assert beamed != captioner(blip).captions(images)


@pytest.mark.parametrize("least", [0, 3])
def test_a_caption_that_wants_to_end_at_once(blip: Path, least: int) -> None:
    speechless = captioner(blip, min_tokens=least)
    speechless._model.text_decoder.cls.predictions.bias.data[SPECIAL.index("[SEP]")] = 100
    for text in speechless.captions(example_images()).values():
        assert bool(text) == bool(least)
        assert len(text.split()) <= least


def test_lengths_may_count_the_start_and_the_prompt(blip: Path) -> None:
    images, prompt = example_images(), "an image of"  # three tokens; four with the start
    new = captioner(blip, max_tokens=3, prompt=prompt).captions(images)
    assert captioner(blip, max_tokens=7, count="all", prompt=prompt).captions(images) == new
    assert {len(text.split()) for text in new.values()} == {3}
    alone = captioner(blip, max_tokens=4, count="all").captions(images)
    assert alone == captioner(blip, max_tokens=3).captions(images)
    for least in (4, 6):
        speechless = captioner(blip, min_tokens=least, max_tokens=9, count="all", prompt=prompt)
        speechless._model.text_decoder.cls.predictions.bias.data[SPECIAL.index("[SEP]")] = 100
        lengths = {len(text.split()) for text in speechless.captions(images).values()}
        assert lengths == {least - 4}


def test_a_prompt_that_leaves_no_token_is_one_line(blip: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        captioner(blip, max_tokens=4, count="all", prompt="an image of").captions(example_images())
    (line,) = caught.value.problems
    assert line == (
        "captioner: `max_tokens: 4` with `count: all` leaves no token for the caption: start and "
        "`prompt` take 4"
    )


@pytest.mark.parametrize("tidied", [True, False])
def test_a_caption_that_is_left_as_it_is(tidied: bool, blip: Path) -> None:
    stuttering = captioner(blip, max_tokens=4, tidy=tidied)
    word = len(SPECIAL) + WORDS.index("house")
    stuttering._model.text_decoder.cls.predictions.bias.data[word] = 100
    texts = set(stuttering.captions(example_images()).values())
    assert texts == {"house" if tidied else "house house house house"}


def test_a_prompt_leads_the_caption_and_is_no_part_of_it(blip: Path) -> None:
    images = example_images()
    led = captioner(blip, prompt="An image of").captions(images)
    assert not any(text.startswith("an image of") for text in led.values())
    assert led != captioner(blip).captions(images)


def test_a_chat_model_captions_too(tmp_path: Path) -> None:
    save_chat(tmp_path / "chat")
    images = example_images().select(("large", "grey"))
    captions = captioner(tmp_path / "chat", min_tokens=3).captions(images)
    assert set(captions) == {"large", "grey"}
    assert not any("image" in text and "assistant" in text for text in captions.values())


@pytest.mark.parametrize(
    ("raw", "caption"),
    [
        ("a dog  in the\n snow. ", "a dog in the snow"),
        ("a jungle jungle jungle jungle tree", "a jungle tree"),
        ("a very very big cat", "a very very big cat"),
        (" ", ""),
    ],
)
def test_captions_are_tidy(raw: str, caption: str) -> None:
    assert tidy(raw) == caption


# What is missing or broken


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("config.json", "config.json"),
        ("model.safetensors", "model.safetensors"),
        ("tokenizer.json", "tokenizer.json"),
        ("preprocessor_config.json", "preprocessor_config.json"),
    ],
)
def test_a_captioner_that_lacks_a_file(blip: Path, tmp_path: Path, file: str, named: str) -> None:
    folder = tmp_path / "blip"
    shutil.copytree(blip, folder)
    (folder / file).unlink()
    with pytest.raises(MissingFileError, match=rf"^captioner: no {named}.* in .*/blip$"):
        captioner(folder)


def test_a_captioner_that_lacks_parameters_is_not_filled_with_random_ones(
    blip: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "blip"
    shutil.copytree(blip, folder)
    state = load_file(folder / "model.safetensors")
    name = next(key for key in state if key.endswith("query.weight"))
    del state[name]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        DataError, match=r"^captioner: .*/blip: .* missing \(1\): .*query\.weight'$"
    ):
        captioner(folder)


def test_another_architecture_is_one_line(blip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "blip"
    shutil.copytree(blip, folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(DataError, match=r"^captioner: cannot load .*/blip: ") as caught:
        captioner(folder)
    assert len(caught.value.problems) == 1
