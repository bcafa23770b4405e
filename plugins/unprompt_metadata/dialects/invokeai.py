"""InvokeAI: ``invokeai_metadata`` since 3.0; ``sd-metadata`` and ``Dream`` before.

The older two hold the negative prompt in square brackets inside the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from unprompt_metadata.prompts import Answer, Refusal, answer
from unprompt_metadata.record import Record

NAME = "InvokeAI"

_BRACKETS = re.compile(r"\[([^\[\]]*+)\]")
_QUOTE_BEFORE_SWITCHES = re.compile(r'"(?=\s*$|\s+-)')


def read(record: Record) -> Iterator[Answer]:
    """Read the newest kind that the file has."""
    newest = tuple(record.objects("invokeai_metadata"))
    for entry, metadata in newest:
        prompt, negative = metadata.get("positive_prompt"), metadata.get("negative_prompt")
        yield answer(NAME, entry.field, prompt, negative)
    older = () if newest else tuple(record.objects("sd-metadata"))
    for entry, metadata in older:
        yield _bracketed(entry.field, _prompt_of(metadata.get("image")))
    for entry in () if newest or older else record.all("Dream"):
        yield _dream(entry.field, entry.text)


def _prompt_of(image: object) -> str | None:
    """The prompt of ``sd-metadata``: a text, or a list of weighted texts."""
    prompt = image.get("prompt") if isinstance(image, dict) else None
    if isinstance(prompt, list):
        texts = [part.get("prompt") if isinstance(part, dict) else part for part in prompt]
        if not all(isinstance(text, str) for text in texts):
            return None
        return ", ".join(map(str, texts))
    return prompt if isinstance(prompt, str) else None


def _dream(field: str, text: str) -> Answer:
    """The text of the command line: ``"the prompt" -s 50 -S 42 ...``."""
    if not text.startswith('"'):
        return Refusal(f"{field}: no quoted prompt")
    ends = [match.start() for match in _QUOTE_BEFORE_SWITCHES.finditer(text, 1)]
    if len(ends) != 1:
        return Refusal(f"{field}: where the prompt ends is not clear")
    return _bracketed(field, text[1 : ends[0]])


def _bracketed(field: str, text: str | None) -> Answer:
    if text is None:
        return answer(NAME, field, None)
    negative = ", ".join(filter(None, (part.strip(" ,") for part in _BRACKETS.findall(text))))
    parts = (part.strip(" ,") for part in _BRACKETS.sub("\0", text).split("\0"))
    return answer(NAME, field, ", ".join(filter(None, parts)), negative)
