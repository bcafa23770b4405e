"""Nodes whose text is not the one that their inputs hold."""

from __future__ import annotations

from unprompt_metadata.comfyui import names
from unprompt_metadata.comfyui.graph import Graph, Node, is_link
from unprompt_metadata.comfyui.joins import numbered_inputs
from unprompt_metadata.comfyui.steps import AT_RUN_TIME
from unprompt_metadata.prompts import Refusal

_OF_ENCODERS = frozenset(name for group in names.TEXTS for name in group)


def makes_texts(node: Node) -> bool:
    """Whether a class changes its text when it runs; an encoder only encodes it."""
    return not _encodes(node) and names.RUNTIME.search(node.kind) is not None


def changed(graph: Graph, node: Node) -> Refusal | None:
    """Why the text in a node's inputs is not what it gives; None: it is.

    Args:
        graph: The graph.
        node: Has a text.
    """
    if makes_texts(node) or _seeing(graph, node):
        return Refusal(f"{node.label} makes its text {AT_RUN_TIME}")
    if _encodes(node):
        return None
    others = set(numbered_inputs(node)) - _OF_ENCODERS - {"text_0"}  # ShowText's own
    others |= {key for key in node.inputs if names.INNER.fullmatch(key)}
    if any(_says(node.inputs[other]) for other in others):
        return Refusal(f"{node.label} gives one of several texts")
    if any(names.CHANGING.fullmatch(key) and _says(node.inputs[key]) for key in node.inputs):
        return Refusal(f"{node.label} changes its text")
    return None


def _encodes(node: Node) -> bool:
    return "Encode" in node.kind and "wildcard" not in node.kind.lower()


def _seeing(graph: Graph, node: Node) -> bool:
    """Whether a node looks at an image, and so may say what it sees; a sampler draws on it."""
    if _encodes(node) or any(name in node.inputs for name in names.POLAR["positive"]):
        return False
    return any(names.SEEN.fullmatch(name) for name, _ in graph.links(node))


def _says(value: object) -> bool:
    text = isinstance(value, str) and not names.NO_CHANGE.fullmatch(value.strip())
    return text or value is True or is_link(value)
