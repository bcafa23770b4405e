"""The text of web UIs: nothing is escaped in it, so that prompts may hold what looks like more."""

from __future__ import annotations

import pytest

from unprompt_metadata.dialects import read_prompt
from unprompt_metadata.prompts import ReadPrompt, Refusal

from .graphs import prompt_of, reason_of, texts_of

SETTINGS = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 512x512, Model: m"


def read(text: str, field: str = "png:parameters") -> ReadPrompt | Refusal | None:
    return read_prompt(texts_of({field: text}))


@pytest.mark.parametrize(
    ("prompt", "negative"),
    [
        ("a cat", "ugly"),
        ("a cat", ""),
        ("a cat,\nsitting, \non a mat", "ugly,\nblurry"),
        ("how to dance\nSteps: 3, then turn", "ugly"),
        ("Steps: 3, Sampler: of drums, Seed: of doubt\nwalking up", "ugly"),
        ("style: noir, mood: dark, light: soft", ""),
        ('a sign that says "Negative prompt: none"', "ugly"),
        ("a sign, Negative prompt: in the middle", ""),
        ("a cat", "ugly, Steps: 4\nNegative prompt: again"),
        ("{red|blue} wall", ""),
        ('{"a": 1', "ugly"),
        ("masterpiece, <lora:x:0.8> (cat:1.2) [dog] \\(escaped\\)", ""),
        ("猫, 夜空 🐈", "悪い"),
        ("a: b: c: d", "e: f"),
        ("Template: a cat", ""),
        ("x" * 50_000, ""),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_prompt_is_what_stands_before(prompt: str, negative: str, newline: str) -> None:
    lines = [prompt, *([f"Negative prompt: {negative}"] if negative else []), SETTINGS]
    result = read("\n".join(lines).replace("\n", newline))
    assert isinstance(result, ReadPrompt)
    assert (result.prompt, result.negative) == (prompt, negative)
    assert (result.generator, result.field) == ("A1111", "png:parameters")


def test_a_quoted_value_may_hold_commas_and_colons() -> None:
    quoted = '"a: b, c: \\"d\\", Steps: 3"'
    result = read(f"a cat\nSteps: 20, ControlNet 0: {quoted}, Seed: 1, Version: v1.10.1")
    assert prompt_of(result) == "a cat"


def test_fewer_than_three_pairs_are_no_settings() -> None:
    assert prompt_of(read("a cat\nSteps: 20, Seed: 1")) == "a cat\nSteps: 20, Seed: 1"


def test_lines_of_extensions_after_the_settings_are_no_prompt() -> None:
    text = f"a red cat\nNegative prompt: ugly\n{SETTINGS}\nTemplate: a {{red|blue}} cat\nof two"
    result = read(text)
    assert isinstance(result, ReadPrompt)
    assert (result.prompt, result.negative) == ("a red cat", "ugly")


@pytest.mark.parametrize(
    "text", [SETTINGS, f"Negative prompt: ugly\n{SETTINGS}", f"\n \n{SETTINGS}"]
)
def test_an_empty_prompt_is_no_prompt(text: str) -> None:
    assert reason_of(read(text)) == "png:parameters: A1111's prompt is empty"


def test_without_settings_only_a_field_of_its_own_is_believed() -> None:
    assert prompt_of(read("a cat on a mat")) == "a cat on a mat"
    assert prompt_of(read("a cat on a mat", "stealth:alpha")) == "a cat on a mat"
    for field in ("exif:UserComment", "jpeg:comment", "gif:comment", "exif:ImageDescription"):
        assert read("Created with GIMP", field) is None
        assert prompt_of(read(f"a cat\n{SETTINGS}", field)) == "a cat"
        assert prompt_of(read("a cat\nNegative prompt: ugly", field)) == "a cat"


@pytest.mark.parametrize(
    ("more", "generator"),
    [
        ("Version: v1.10.1", "A1111"),
        ("Version: f2.0.1v1.10.1-previous-224-g90019688", "Forge"),
        ("Version: f1.0.0v2-v1.10.1RC-latest-2498-g5120e679", "reForge"),
        ("Version: classic", "Forge Classic"),
        ("Version: neo", "Forge Neo"),
        ("ADetailer Version: 24.1, Version: neo-2.1", "Forge Neo"),
        ("App: SD.Next, Version: 56a8aea", "SD.Next"),
        ("Version: Fooocus v2.5.5", "Fooocus"),
        ("Version: ComfyUI", "ComfyUI"),
        ('Civitai resources: [{"type":"checkpoint","modelVersionId":1}]', "Civitai"),
    ],
)
def test_the_version_names_the_fork(more: str, generator: str) -> None:
    result = read(f"a cat\n{SETTINGS}, {more}", "exif:UserComment")
    assert isinstance(result, ReadPrompt)
    assert (result.prompt, result.generator) == ("a cat", generator)


def test_json_of_an_unknown_program_is_no_prompt() -> None:
    assert "not known" in reason_of(read('{"title": "a cat"}'))
    assert read('{"title": "a cat"}', "exif:UserComment") is None
    assert "damaged JSON" in reason_of(read('{"title": "a cat"'))


def test_fields_that_disagree_are_refused() -> None:
    fields = {"png:parameters": f"a cat\n{SETTINGS}", "stealth:alpha": f"a dog\n{SETTINGS}"}
    assert "different prompts" in reason_of(read_prompt(texts_of(fields)))
    fields["stealth:alpha"] = fields["png:parameters"]
    assert prompt_of(read_prompt(texts_of(fields))) == "a cat"


def test_how_an_image_was_enlarged_is_no_prompt() -> None:
    text = "Postprocess upscale by: 4, Postprocess upscaler: R-ESRGAN 4x+"
    assert "enlarged" in reason_of(read(text))
