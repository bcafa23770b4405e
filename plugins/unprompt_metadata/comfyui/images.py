"""Which samplers drew the saved image, and what they were given.

A graph may save several images, and draw each in several passes. The walk goes from each node that
saves an image back along images and latents; every node on it that takes a positive conditioning
is a sampler. An image's prompt is the texts of all its samplers, each once, in the order of the
graph: that a second pass has another text than the first is common, and both are in the image.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from unprompt_metadata.comfyui import names
from unprompt_metadata.comfyui.graph import Graph, Node, is_link
from unprompt_metadata.comfyui.names import Polarity
from unprompt_metadata.comfyui.sizes import Sizes
from unprompt_metadata.comfyui.steps import Texts, unique
from unprompt_metadata.comfyui.tracing import Tracer
from unprompt_metadata.prompts import Refusal

MOST_SAVED = 16
MOST_SAMPLERS = 1_000


@dataclass(frozen=True, slots=True)
class GraphPrompt:
    """Both sides of a prompt.

    Attributes:
        positive: Texts of all samplers, joined with a comma where there are several; may be empty.
        negative: The same of the other side; empty where it cannot be traced.
        remark: What a reader has to know of it; None: nothing.
    """

    positive: str
    negative: str
    remark: str | None = None


def graph_prompt(graph: Graph, size: tuple[int, int] | None) -> GraphPrompt | Refusal:
    """The prompt of the image that a graph was saved with.

    Args:
        graph: Of any shape.
        size: Of the image that was saved, in pixels; it tells saved images apart.
    """
    saved = _saved(graph)
    if len(saved) > MOST_SAVED:
        return Refusal(f"the graph saves {len(saved)} images")
    tracer = Tracer(graph)
    drawn = {node.id: _samplers(graph, node) for node in saved}
    drawn = {key: samplers for key, samplers in drawn.items() if samplers}
    if not drawn:
        return _called(graph, saved, tracer)
    sizes = Sizes(graph)
    fitting = {key: drawn[key] for key in drawn if size and sizes.of(graph.nodes[key]) == size}
    ways = list(dict.fromkeys((fitting or drawn).values()))
    return _agreed([_of(graph, samplers, tracer) for samplers in ways], ways)


def _agreed(
    results: list[GraphPrompt | Refusal], samplers: list[tuple[str, ...]]
) -> GraphPrompt | Refusal:
    """The one prompt of all saved images; or the last one's, where the others lead to it."""
    for result in results:
        if isinstance(result, Refusal):
            return result
    if len({result.positive for result in results if isinstance(result, GraphPrompt)}) == 1:
        return results[0]
    longest = max(range(len(samplers)), key=lambda at: len(samplers[at]))
    if all(set(samplers[longest]) >= set(other) for other in samplers):
        return results[longest]
    return Refusal("the graph saves several images, with different prompts")


def _saved(graph: Graph) -> list[Node]:
    """The nodes that save an image; where there are none, those that show one, or just end."""
    used = {target.id for node in graph.nodes.values() for _, target in graph.links(node)}
    with_image = [
        node
        for node in graph.nodes.values()
        if any(names.IMAGES.fullmatch(name) for name, _ in graph.links(node))
    ]
    ends = [node for node in with_image if node.id not in used]
    for choice in (
        [n for n in with_image if n.kind.lower().startswith("save") and _not_latent(n)]
        + [n for n in graph.nodes.values() if _saves_itself(n)],
        [n for n in ends if names.SAVING.search(n.kind) and _not_latent(n)],
        [n for n in ends if names.SHOWING.search(n.kind)],
        ends,
        [n for n in graph.nodes.values() if n.id not in used and _takes_prompt(n)],
    ):
        if choice:
            return choice
    return []


def _saves_itself(node: Node) -> bool:
    """Whether a sampler saves what it draws (ComfyUI-Easy-Use, tinyterraNodes)."""
    output = node.inputs.get("image_output")
    return isinstance(output, str) and "save" in output.lower()


def _not_latent(node: Node) -> bool:
    return "latent" not in node.kind.lower()


def _way(graph: Graph, saved: Node) -> list[Node]:
    """The nodes that an image comes through, in the order of the graph."""
    seen, stack = {saved.id}, [saved]
    while stack:
        node = stack.pop()
        for name, target in graph.links(node):
            if target.id not in seen and not names.OFF_ROUTE.fullmatch(name):
                seen.add(target.id)
                stack.append(target)
    return [node for node in graph.nodes.values() if node.id in seen]


def _samplers(graph: Graph, saved: Node) -> tuple[str, ...]:
    """The samplers on the way to a saved image.

    Detailers and upscalers count only where nothing else drew it: they repaint parts of it. So do
    nodes that save an image with a prompt that somebody typed for it.
    """
    every = [node for node in _way(graph, saved) if _takes_prompt(node)]
    first = [n for n in every if not (names.DETAILING.search(n.kind) or _only_saves(n))]
    return tuple(node.id for node in first or every)


def _only_saves(node: Node) -> bool:
    given = any(names.SEEN.fullmatch(key) and is_link(node.inputs[key]) for key in node.inputs)
    return given and names.SAVING.search(node.kind) is not None


def _takes_prompt(node: Node) -> bool:
    positive = node.inputs.get("positive")
    carried = any(is_link(node.inputs.get(name)) for name in names.CARRIERS)
    return is_link(positive) or isinstance(positive, str) or carried


def _of(graph: Graph, samplers: tuple[str, ...], tracer: Tracer) -> GraphPrompt | Refusal:
    if len(samplers) > MOST_SAMPLERS:
        return Refusal(f"{len(samplers):,} samplers lead to a saved image")
    sides: dict[Polarity, dict[str, None]] = {"positive": {}, "negative": {}}
    for side, gathered in sides.items():
        last: Texts = ()
        for key in samplers:
            texts = tracer.trace(graph.nodes[key], side)
            if isinstance(texts, Refusal):
                if side == "positive":
                    return texts
            elif texts is not last:  # most samplers share their conditioning
                gathered.update(dict.fromkeys(texts))
                last = texts
    remark = "; ".join(tracer.remarks) or None
    return GraphPrompt(_whole(sides["positive"]), _whole(sides["negative"]), remark)


def _whole(texts: Iterable[str]) -> str:
    """One text as it is; several without the white space around each."""
    each = unique(texts)
    return each[0] if len(each) == 1 else ", ".join(text.strip() for text in each)


def _called(graph: Graph, saved: list[Node], tracer: Tracer) -> GraphPrompt | Refusal:
    """The prompt of a node that has a service draw the image, where just one does."""
    callers = {
        node.id: node
        for end in saved
        for node in _way(graph, end)
        if not names.SEEING.search(node.kind)
        and any(name in node.inputs for name in names.GENERATED)
    }
    if len(callers) != 1:
        return Refusal("no sampler leads to a saved image")
    (caller,) = callers.values()
    texts = tracer.trace(caller, "positive", draws=bool(names.DRAWING.search(caller.kind)))
    return texts if isinstance(texts, Refusal) else GraphPrompt(_whole(texts), "")
