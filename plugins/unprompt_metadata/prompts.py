"""A prompt that a file holds, and why another file gives none."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST = 100_000
"""Characters of the longest prompt that is believed; generators cut theirs far earlier."""

# C0 and C1 controls but tab and newline: they say nothing in a prompt, and a terminal obeys some.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]+")


@dataclass(frozen=True, slots=True)
class ReadPrompt:
    """A prompt as its generator stored it.

    Attributes:
        prompt: The positive prompt; never blank.
        negative: The negative prompt; empty where there is none.
        characters: Prompts of single characters, which NovelAI V4 keeps beside the base prompt.
        generator: The program, such as ``ComfyUI``.
        field: Where it was, such as ``png:prompt``.
        remark: What a reader has to know of it; None: nothing.
    """

    prompt: str
    negative: str
    characters: tuple[str, ...]
    generator: str
    field: str
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A generator's text is there, and no prompt can be read from it for sure.

    Attributes:
        reason: Why, as a part of a line.
    """

    reason: str


Answer = ReadPrompt | Refusal


def clean(text: str) -> str:
    """The text with one kind of line end, without control characters and lone surrogates."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n")
    whole = unified.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _CONTROLS.sub("", whole)


def answer(
    generator: str,
    field: str,
    prompt: object,
    negative: object = "",
    characters: tuple[str, ...] = (),
    remark: str | None = None,
) -> Answer:
    """What a generator says, checked.

    Args:
        generator: The program.
        field: Where it was.
        prompt: What it has for a prompt, of any type.
        negative: What it has for a negative prompt; anything but a text counts as none.
        characters: Prompts of single characters.
        remark: What a reader has to know of it.
    """
    if not isinstance(prompt, str):
        return Refusal(f"{field}: {generator}'s prompt is missing or not a text")
    text = clean(prompt).strip("\n")
    if not text.strip():
        return Refusal(f"{field}: {generator}'s prompt is empty")
    if len(text) > LONGEST:
        return Refusal(f"{field}: {generator}'s prompt has {len(text):,} characters")
    against = clean(negative) if isinstance(negative, str) else ""
    persons = tuple(map(clean, characters))
    return ReadPrompt(text, against, persons, generator, field, remark)
