"""NovelAI: ``Comment`` is JSON; until V3 the prompt may be in ``Description`` alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unprompt_metadata.prompts import Answer, Refusal, answer
from unprompt_metadata.record import PARAMETERS, Entry, Record

NAME = "NovelAI"


def read(record: Record) -> Iterator[Answer]:
    """Read PNG chunks, the JSON that WebP and stealth data wrap them into, and bare comments."""
    for entry, comment in record.objects("Comment", PARAMETERS):
        if wrote(record, entry, comment):
            yield _read(record, entry, comment)
    for entry in record.all("Comment"):
        software = record.beside(entry, "Software")
        if entry.object is None and software is not None and software.text.startswith(NAME):
            yield Refusal(f"{entry.field}: {NAME}'s comment {entry.flaw}")


def wrote(record: Record, entry: Entry, comment: dict[str, Any]) -> bool:
    """Whether a comment is NovelAI's."""
    software = record.beside(entry, "Software")
    if entry.key == "Comment" and software is not None:
        return software.text.startswith(NAME)
    return _looks_so(comment)


def _looks_so(comment: dict[str, Any]) -> bool:
    if isinstance(comment.get("v4_prompt"), dict):
        return True
    return "uc" in comment and "sampler" in comment and isinstance(comment.get("prompt"), str)


def _read(record: Record, entry: Entry, comment: dict[str, Any]) -> Answer:
    base, characters = _caption(comment.get("v4_prompt"))
    against, _ = _caption(comment.get("v4_negative_prompt"))
    prompt: object = base if base is not None else comment.get("prompt")
    field = entry.field
    if prompt is None and (description := record.beside(entry, "Description")) is not None:
        prompt, field = description.text, description.field
    negative = against if against is not None else comment.get("uc")
    return answer(NAME, field, prompt, negative, characters)


def _caption(prompt: object) -> tuple[str | None, tuple[str, ...]]:
    """The base caption and those of characters of a V4 prompt."""
    caption = prompt.get("caption") if isinstance(prompt, dict) else None
    if not isinstance(caption, dict):
        return None, ()
    base, entries = caption.get("base_caption"), caption.get("char_captions")
    texts = [
        entry.get("char_caption")
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
    ]
    return (
        base if isinstance(base, str) else None,
        tuple(text for text in texts if isinstance(text, str) and text.strip()),
    )
