"""What the nodes of a graph ask each other for: the shapes of question and answer."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TypeAlias

from unprompt_metadata.comfyui.graph import Graph
from unprompt_metadata.comfyui.names import Polarity
from unprompt_metadata.prompts import LONGEST, Refusal

MOST_TEXTS = 200
"""Of one prompt; regional prompts have tens."""

AT_RUN_TIME = "when the graph runs"
"""How the reason ends where a node makes a text that is not in the file."""

Texts: TypeAlias = tuple[str, ...] | Refusal
Request: TypeAlias = tuple[str, Polarity]
"""A node's key, and which side of it."""

Steps: TypeAlias = Generator[Request, Texts, Texts]
"""A node's way to its texts: yields requests, is sent their answers, and returns its own."""

SomeSteps: TypeAlias = Generator[Request, Texts, Texts | None]
"""The same of a part of a node, which may not be there."""


def value_steps(graph: Graph, value: object, side: Polarity) -> Steps:
    """An input's text: a literal, or what it is linked to."""
    if isinstance(value, str):
        return (value,)
    target = graph.target(value)
    if target is None:
        return Refusal("an input is linked to a node that is missing")
    return (yield (target.id, side))


def unique(texts: Iterable[str]) -> tuple[str, ...]:
    """Each text once; blank ones say nothing."""
    first: dict[str, str] = {}
    for text in texts:
        if text.strip():
            first.setdefault(text.strip(), text)
    return tuple(first.values())


def number(name: str) -> tuple[int, str]:
    """The order of ``text_2`` and ``text_10``, or of ``text_a`` and ``text_b``."""
    digits = "".join(filter(str.isdecimal, name))
    return int(digits) if digits and len(digits) < 9 else 0, name


def bounded(texts: Texts, node: str) -> Texts:
    """Nodes that join one text with itself again and again would fill the memory."""
    if isinstance(texts, Refusal):
        return texts
    if len(texts) > MOST_TEXTS or sum(map(len, texts)) > LONGEST:
        return Refusal(f"node {node} has more text than a prompt")
    return texts


def made_at_run_time(texts: Texts) -> bool:
    """Whether a text is not in the graph because a node made it."""
    return isinstance(texts, Refusal) and texts.reason.endswith(AT_RUN_TIME)
