"""A damaged byte in formats without checksums changes a letter, never which text is the prompt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unprompt_metadata.dialects import read_prompt
from unprompt_metadata.files import read_texts
from unprompt_metadata.prompts import ReadPrompt

from .graphs import encoded, node, prompt_of, reason_of, text_to_image, texts_of
from .writing import (
    TAGS,
    Comment,
    exif_bytes,
    segment,
    user_comment_bytes,
    write_jpeg,
    write_png,
)

SETTINGS = "Steps: 20, Sampler: Euler a, Seed: 1, Size: 8x6, Version: v1.10.1"
TEXT = f"a cat\non a wall\nNegative prompt: blurry\n{SETTINGS}"


@pytest.mark.parametrize("at", range(len("a cat\non a wall"), TEXT.index("blurry")))
@pytest.mark.parametrize("bit", range(8))
def test_the_marker_of_the_negative_prompt(at: int, bit: int) -> None:
    damaged = f"{TEXT[:at]}{chr(ord(TEXT[at]) ^ 1 << bit)}{TEXT[at + 1 :]}"
    result = read_prompt(texts_of({"jpeg:comment": damaged}, form="JPEG"))
    if damaged[:at] + "N" + damaged[at + 1 :] == TEXT and damaged[at] == "n":
        return  # as somebody may type it
    assert prompt_of(result) in ("a cat\non a wall", None)


@pytest.mark.parametrize("letter", ["*", "J", "\x0b", "\u010a"])
def test_the_line_end_in_front_of_the_settings(letter: str) -> None:
    damaged = f"a cat\non a wall{letter}{SETTINGS}"
    result = read_prompt(texts_of({"exif:UserComment": damaged}, form="JPEG"))
    assert prompt_of(result) in ("a cat\non a wall", None)


@pytest.mark.parametrize(
    "prompt",
    [
        "a sign that says Negative prompt: no, Steps: 3",
        'a sign, "Negative prompt:"\nnegative prompt: typed in small',
        "the film Negative\nprompts: many",
    ],
)
@pytest.mark.parametrize("against", ["", "\nNegative prompt: blurry"])
def test_prompts_that_speak_of_markers(prompt: str, against: str) -> None:
    for name in ("exif:UserComment", "png:parameters"):
        fields = {name: f"{prompt}{against}\n{SETTINGS}"}
        assert prompt_of(read_prompt(texts_of(fields))) == prompt


def test_utf8_with_one_damaged_byte_is_not_read_as_latin1(tmp_path: Path) -> None:
    text = f"a cat, 猫, café\n{SETTINGS}".encode()
    whole = write_jpeg(tmp_path / "whole.jpg", segment(0xFE, text))
    assert prompt_of(read_prompt(read_texts(whole))) == "a cat, 猫, café"
    broken = text.replace("猫".encode(), b"\xe7\x0c\xab")
    texts = read_texts(write_jpeg(tmp_path / "broken.jpg", segment(0xFE, broken)))
    assert (texts.fields, len(texts.problems)) == ((), 1)
    assert "not UTF-8 at byte 7" in texts.problems[0]
    latin = write_jpeg(tmp_path / "latin.jpg", segment(0xFE, f"café\n{SETTINGS}".encode("latin-1")))
    assert prompt_of(read_prompt(read_texts(latin))) == "café"


def test_no_flipped_bit_of_a_png_file_changes_the_order_of_regions(tmp_path: Path) -> None:
    nodes = text_to_image(
        ["c", 0],
        c=node("ConditioningCombine", conditioning_1=["a", 0], conditioning_2=["b", 0]),
        a=encoded("sky"),
        b=encoded("sea"),
    )
    links = [[1, "b", 0, "c", 1, "CONDITIONING"], [2, "a", 0, "c", 0, "CONDITIONING"]]
    fields = {"prompt": json.dumps(nodes), "workflow": json.dumps({"links": links})}
    path = write_png(tmp_path / "x.png", fields, after_idat=True)
    content = path.read_bytes()
    start = content.index(b"tEXtworkflow") - 4
    prompts = set[str | None]()
    for at in range(start, start + 12):  # length, kind and keyword
        for bit in range(8):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])
            prompts.add(prompt_of(read_prompt(read_texts(path))))
    assert prompts == {None}
    path.write_bytes(content)
    result = read_prompt(read_texts(path))
    assert isinstance(result, ReadPrompt)
    assert result.prompt == "sea, sky"


def test_what_is_damaged_is_said(tmp_path: Path) -> None:
    comment = TEXT.replace("Negative", "Negatife")
    path = write_jpeg(tmp_path / "x.jpg", segment(0xE1, b"Exif\0\0" + exif_bytes(comment)))
    assert "exif:UserComment has a negative prompt whose beginning is damaged" in reason_of(
        read_prompt(read_texts(path))
    )


@pytest.mark.parametrize("encoding", ["unicode-le", "unicode-be"])
@pytest.mark.parametrize("count", [1, 3])
def test_utf16_of_which_bytes_are_missing(tmp_path: Path, encoding: Comment, count: int) -> None:
    value = user_comment_bytes(f"a photo of a cat in the snow\n{SETTINGS}", encoding)
    for at in range(8, len(value) - 2 * len(SETTINGS), 3):
        exif = exif_bytes(raw={TAGS["UserComment"]: (7, value[:at] + value[at + count :])})
        path = write_jpeg(tmp_path / "x.jpg", segment(0xE1, b"Exif\0\0" + exif))
        prompt = prompt_of(read_prompt(read_texts(path)))
        # The other byte order may read all but the letters at the damage.
        assert sum(not letter.isascii() for letter in prompt or "") <= 4
