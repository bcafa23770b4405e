"""What the texts of a file mean: one module for each kind of generator."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from unprompt_metadata.dialects import (
    a1111,
    comfyui,
    draw_things,
    fooocus,
    invokeai,
    novelai,
    sites,
)
from unprompt_metadata.fields import FileTexts
from unprompt_metadata.prompts import Answer, ReadPrompt, Refusal
from unprompt_metadata.record import Record

_MOST_TEXTS = 1_000
_MOST_REASONS = 3

# The most specific comes first: a file may hold a generator's own text beside the graph that it
# ran, and a copy as a web UI's text.
_DIALECTS: tuple[Callable[[Record], Iterator[Answer]], ...] = (
    novelai.read,
    sites.read_swarmui,
    invokeai.read,
    sites.read_tensorart,
    sites.read_stability_matrix,
    draw_things.read,
    fooocus.read,
    fooocus.read_easy_diffusion,
    comfyui.read,
    a1111.read,
)


def read_prompt(texts: FileTexts) -> Answer | None:
    """The prompt in a file's texts.

    Args:
        texts: Of any file, also a damaged or hostile one.

    Returns:
        The prompt of the first dialect that has one; why not, where a generator's texts give none
        for sure; None where no text is a generator's.
    """
    if len(texts.fields) > _MOST_TEXTS:
        return Refusal(f"the file has {len(texts.fields):,} texts")
    record = Record(texts)
    refusals: list[Refusal] = []
    for dialect in _DIALECTS:
        answers = tuple(dialect(record))
        refusals += [item for item in answers if isinstance(item, Refusal)]
        prompts = [item for item in answers if isinstance(item, ReadPrompt)]
        if prompts:
            return _agreed(prompts)
    reasons = list(dict.fromkeys(item.reason for item in refusals))
    return Refusal("; ".join(reasons[:_MOST_REASONS])) if reasons else None


def _agreed(prompts: list[ReadPrompt]) -> Answer:
    """The first, unless another field of the file has another prompt."""
    first = prompts[0]
    for other in prompts[1:]:
        if other.prompt.split() != first.prompt.split():
            return Refusal(f"{first.field} and {other.field} hold different prompts")
    return first
