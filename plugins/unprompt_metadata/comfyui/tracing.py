"""From a conditioning back to its texts, through whatever nodes are between.

Nodes are told by their inputs, not their class: what has a text is a source, what has a
conditioning passes it on, what has several joins them. Graphs of strangers may have cycles and any
depth, so that nothing recurses: a node's steps are a generator that asks for other nodes, and
`Tracer.trace` keeps the stack, and every node's answer.
"""

from __future__ import annotations

from typing import Any

from unprompt_metadata.comfyui import names
from unprompt_metadata.comfyui.changes import changed, makes_texts
from unprompt_metadata.comfyui.graph import Graph, Node, is_link
from unprompt_metadata.comfyui.joins import joined, joins, numbered_inputs, switched
from unprompt_metadata.comfyui.names import Polarity
from unprompt_metadata.comfyui.steps import (
    AT_RUN_TIME,
    MOST_TEXTS,
    Request,
    SomeSteps,
    Steps,
    Texts,
    bounded,
    number,
    unique,
    value_steps,
)
from unprompt_metadata.prompts import Refusal

EARLIER = "the text of a box that may show what an earlier run made"


class Tracer:
    """Finds the texts behind inputs of a graph.

    Attributes:
        remarks: What a reader has to know of the texts that were traced, as keys.
    """

    def __init__(self, graph: Graph) -> None:
        """Nothing is known yet."""
        self._graph = graph
        self._answers: dict[Request, Texts] = {}
        self._drawing: str | None = None
        self.remarks: dict[str, None] = {}

    def trace(self, node: Node, side: Polarity, *, draws: bool = False) -> Texts:
        """The texts of one side of a node, in the order in which it takes them.

        Args:
            node: A sampler, or anything that leads to texts.
            side: Which texts.
            draws: Whether it makes an image of its own text, so that its text is the prompt.
        """
        self._drawing = node.id if draws else None
        first = (node.id, side)
        stack: list[tuple[Request, Steps]] = [(first, self._steps(node, side))]
        open_requests = {first}
        reply: Any = None  # a generator is started with None
        while stack:
            request, steps = stack[-1]
            try:
                wanted = steps.send(reply)
            except StopIteration as end:
                stack.pop()
                open_requests.discard(request)
                reply = self._answers[request] = bounded(end.value, self._graph.nodes[request[0]])
                continue
            if wanted in self._answers:
                reply = self._answers[wanted]
            elif wanted in open_requests:
                reply = Refusal(f"{self._graph.nodes[wanted[0]].label} leads back to itself")
            else:
                stack.append((wanted, self._steps(self._graph.nodes[wanted[0]], wanted[1])))
                open_requests.add(wanted)
                reply = None
        return self._answers[first]

    def _steps(self, node: Node, side: Polarity) -> Steps:
        """What a node's class says first, then what its inputs say."""
        if names.EMPTY.search(node.kind):
            return ()
        if names.SWITCHING.search(node.kind):
            return (yield from switched(self._graph, node, side, self.remarks))
        if numbered_inputs(node) and joins(node):
            return (yield from joined(self._graph, node, side))
        conditioned = yield from self._conditioning(node, side)
        if isinstance(conditioned, Refusal):
            return conditioned
        if conditioned is not None and is_link(node.inputs.get(side)):
            return conditioned  # all there is on this side
        own = yield from self._own(node, side)
        if isinstance(own, Refusal):
            return self._shown(node) or own
        if conditioned is None and own is None:
            return self._shown(node) or (yield from self._only_link(node, side))
        return unique((conditioned or ()) + (own or ()))

    def _conditioning(self, node: Node, side: Polarity) -> SomeSteps:
        """The texts of a node's conditionings; None: it takes none."""
        graph = self._graph
        target = graph.target(node.inputs.get(side))
        if target is not None:
            return (yield (target.id, _crossed(node, target, side)))
        for name in names.CARRIERS:
            if (target := graph.target(node.inputs.get(name))) is not None:
                if side == "negative" and name == "guider" and side not in target.inputs:
                    return ()  # a guider without one
                return (yield (target.id, side))
        wires = [pair for pair in graph.links(node) if _conditions(pair[0], side)]
        return (yield from self._joined(node, wires, side)) if wires else None

    def _joined(self, node: Node, wires: list[tuple[str, Node]], side: Polarity) -> Steps:
        """The texts of several conditionings, in the order in which somebody wired them."""
        graph = self._graph
        ordered = "concat" in node.kind.lower()  # a concatenation has an order of its own
        wires.sort(key=lambda pair: (pair[0].endswith("from"), number(pair[0])[0]))
        if not ordered:
            wires.sort(key=lambda pair: graph.wired(node, pair[1]))
        texts: tuple[str, ...] = ()
        for _, target in wires:
            part = yield (target.id, side)
            if isinstance(part, Refusal):
                return part
            texts = unique(texts + part)
            if len(texts) > MOST_TEXTS:
                break  # `trace` refuses it
        if graph.lost and len(texts) > 1 and len(wires) > 1 and not ordered:
            return Refusal(f"{node.label} has texts in an order that a damaged workflow says")
        return texts

    def _own(self, node: Node, side: Polarity) -> SomeSteps:
        """The texts that are inputs of the node; None: it has none."""
        groups = [*((name,) for name in names.POLAR[side]), *names.TEXTS]
        if node.inputs.get("use_input_text") is False:
            groups.remove(("text",))
        if names.VALUE_KINDS.search(node.kind):
            groups.append(("value",))
        present = checked = False
        for group in groups:
            texts: tuple[str, ...] = ()
            for name in group:
                value = node.inputs.get(name)
                if not isinstance(value, str) and not is_link(value):
                    continue
                if name != "populated_text" and not checked:  # that is what a wildcard became
                    checked = True
                    if node.id != self._drawing and (why := changed(self._graph, node)):
                        return why
                part = yield from value_steps(self._graph, value, side)
                if isinstance(part, Refusal):
                    return part
                present = True
                texts += part
            if any(text.strip() for text in texts):
                return unique(texts)
        return () if present else None

    def _only_link(self, node: Node, side: Polarity) -> Steps:
        """A node of unknown names passes on its only input."""
        wires = [pair for pair in self._graph.links(node) if not names.NOT_TEXT.fullmatch(pair[0])]
        if makes_texts(node):
            return Refusal(f"{node.label} makes its text {AT_RUN_TIME}")
        if len(wires) != 1:
            return Refusal(f"{node.label} is not known")
        return (yield (wires[0][1].id, side))

    def _shown(self, node: Node) -> tuple[str, ...]:
        """The text that a box showed which shows what comes in; none of another node.

        The workflow has the text of this run, the graph that of the run before, if any.
        """
        if not node.kind.startswith("ShowText") or self._graph.lost:
            return ()
        shown = self._graph.shown(node)
        text = node.inputs.get("text_0") if shown is None else shown
        texts = unique([text]) if isinstance(text, str) else ()
        if texts and shown is None:
            self.remarks[EARLIER] = None
        return texts


def _conditions(name: str, side: Polarity) -> bool:
    """Whether an input is one of a node's conditionings of one side, or of both."""
    if names.PAIRED.fullmatch(name):
        return name.startswith(side)
    return names.CONDITIONING.fullmatch(name) is not None


def _crossed(node: Node, target: Node, side: Polarity) -> Polarity:
    """Which side of a node feeds a side of another: nodes give the positive one first."""
    ends = node.inputs.get("positive"), node.inputs.get("negative")
    both = {"positive", "negative"} <= target.inputs.keys()
    if not (both and is_link(ends[0]) and is_link(ends[1])):
        return side
    (first, output), (second, other) = ends[0] or [], ends[1] or []
    if str(first) == str(second) and output > other:
        return "negative" if side == "positive" else "positive"
    return side
