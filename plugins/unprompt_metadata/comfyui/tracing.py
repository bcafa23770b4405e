"""From a conditioning back to its texts, through whatever nodes are between.

Nodes are told by their inputs, not their class: what has a text is a source, what has a
conditioning passes it on, what has several joins them. Graphs of strangers may have cycles and any
depth, so that nothing recurses: a node's steps are a generator that asks for other nodes, and
`Tracer.trace` keeps the stack, and every node's answer.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias

from unprompt_metadata.comfyui import names
from unprompt_metadata.comfyui.graph import Graph, Node, is_link
from unprompt_metadata.comfyui.names import Polarity
from unprompt_metadata.prompts import LONGEST, Refusal

MOST_TEXTS = 200
"""Of one prompt; regional prompts have tens."""

Texts: TypeAlias = tuple[str, ...] | Refusal
Request: TypeAlias = tuple[str, Polarity]
Steps: TypeAlias = Generator[Request, Texts, Texts]


class Tracer:
    """Finds the texts behind inputs of a graph."""

    def __init__(self, graph: Graph) -> None:
        """Nothing is known yet."""
        self._graph = graph
        self._answers: dict[Request, Texts] = {}
        self.remarks: dict[str, None] = {}

    def trace(self, node: Node, side: Polarity) -> Texts:
        """The texts of one side of a node, in the order in which it takes them.

        Args:
            node: A sampler, or anything that leads to texts.
            side: Which texts.
        """
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
                reply = self._answers[request] = _bounded(end.value, request[0])
                continue
            if wanted in self._answers:
                reply = self._answers[wanted]
            elif wanted in open_requests:
                reply = Refusal(f"node {wanted[0]} leads back to itself")
            else:
                stack.append((wanted, self._steps(self._graph.nodes[wanted[0]], wanted[1])))
                open_requests.add(wanted)
                reply = None
        return self._answers[first]

    def _steps(self, node: Node, side: Polarity) -> Steps:
        """Ask a node's own kind first, then what its inputs say."""
        if names.EMPTY.search(node.kind):
            return ()
        if names.SWITCHING.search(node.kind):
            return (yield from self._switch(node, side))
        numbered = [name for name in node.inputs if names.NUMBERED.fullmatch(name)]
        delimited = any(name in node.inputs for name in names.DELIMITERS)
        if numbered and (delimited or names.JOINING.search(node.kind)):
            return (yield from self._shown_or(node, self._joined(node, numbered, side)))
        conditioned = yield from self._conditioning(node, side)
        if isinstance(conditioned, Refusal):
            return conditioned
        own = yield from self._own(node, side)
        if isinstance(own, Refusal):
            return (yield from self._shown_or(node, _answered(own)))
        if conditioned is None and own is None:
            return (yield from self._only_link(node, side))
        return _unique((conditioned or ()) + (own or ()))

    def _conditioning(
        self, node: Node, side: Polarity
    ) -> Generator[Request, Texts, tuple[str, ...] | Refusal | None]:
        """The texts of a node's conditionings; None: it takes none."""
        target = self._graph.target(node.inputs.get(side))
        if target is not None:
            return (yield (target.id, side))
        for name in names.CARRIERS:
            if (target := self._graph.target(node.inputs.get(name))) is not None:
                if side == "negative" and name == "guider" and "negative" not in target.inputs:
                    return ()
                return (yield (target.id, side))
        linked = [
            (name, target)
            for name, target in self._graph.links(node)
            if names.CONDITIONING.fullmatch(name)
        ]
        if not linked:
            return None
        if "concat" not in node.kind.lower():  # a concatenation has an order of its own
            linked.sort(key=lambda item: self._graph.wired(node, item[1]))
        texts: tuple[str, ...] = ()
        for _, target in linked:
            part = yield (target.id, side)
            if isinstance(part, Refusal):
                return part
            texts = _unique(texts + part)
            if len(texts) > MOST_TEXTS:
                break  # refused where the node's answer is kept
        return texts

    def _own(
        self, node: Node, side: Polarity
    ) -> Generator[Request, Texts, tuple[str, ...] | Refusal | None]:
        """The texts that are inputs of the node; None: it has none."""
        groups: list[tuple[str, ...]] = [(name,) for name in names.POLAR[side]]
        groups += names.TEXTS
        if names.VALUE_KINDS.search(node.kind):
            groups.append(("value",))
        present = False
        for group in groups:
            texts: tuple[str, ...] = ()
            for name in group:
                value = node.inputs.get(name)
                if not isinstance(value, str) and not is_link(value):
                    continue
                if name != "populated_text" and self._made_at_run_time(node, name):
                    return Refusal(f"node {node.id} ({node.kind}) makes its text when it runs")
                part = yield from self._value(value, side)
                if isinstance(part, Refusal):
                    return part
                present = True
                texts += part
            if any(text.strip() for text in texts):
                return _unique(texts)
        return () if present else None

    def _made_at_run_time(self, node: Node, name: str) -> bool:
        """Whether a class changes its text; an encoder with a literal text only encodes it."""
        encodes = "clip" in node.inputs or "Encode" in node.kind
        if encodes and name in ("text", "prompt") and "wildcard" not in node.kind.lower():
            return False
        return names.RUNTIME.search(node.kind) is not None

    def _value(self, value: object, side: Polarity) -> Steps:
        """An input's text: a literal, or what it is linked to."""
        if isinstance(value, str):
            return (value,)
        target = self._graph.target(value)
        if target is None:
            return Refusal("an input is linked to a node that is missing")
        return (yield (target.id, side))

    def _joined(self, node: Node, numbered: list[str], side: Polarity) -> Steps:
        """One text from several, with what is between them."""
        if node.inputs.get("action", "append") != "append" or any(
            node.inputs.get(name) for name in ("prefix", "suffix")
        ):
            return Refusal(f"node {node.id} ({node.kind}) changes its texts")
        parts = []
        for name in sorted(numbered, key=_number):
            value = node.inputs[name]
            if isinstance(value, str) or is_link(value):
                part = yield from self._value(value, side)
                if isinstance(part, Refusal):
                    return part
                parts.append(", ".join(part))
            if sum(map(len, parts[-2:])) > LONGEST or len(parts) > MOST_TEXTS:
                return Refusal(f"node {node.id} has more text than a prompt")
        tidy = str(node.inputs.get("tidy_tags", "no")) == "yes"
        glue = next((node.inputs[n] for n in names.DELIMITERS if n in node.inputs), None)
        if glue is None:
            glue = ", " if tidy else "" if "tidy_tags" in node.inputs else None
        full = [part for part in parts if part.strip()]
        if len(full) <= 1:
            return tuple(full)
        if not isinstance(glue, str):
            return Refusal(f"node {node.id} ({node.kind}) joins texts in a way that is not known")
        return (glue.replace("\\n", "\n").join(full),)

    def _switch(self, node: Node, side: Polarity) -> Steps:
        """The branch that a switch chose; else, where that text was made at run time, the other."""
        inputs = node.inputs
        on = [inputs[name] for name in names.ON if name in inputs]
        off = [inputs[name] for name in names.OFF if name in inputs]
        if on or off:
            chosen = self._condition(node)
            if chosen is None:
                return Refusal(f"node {node.id} ({node.kind}) chooses when it runs")
            branches = on + off if chosen else off + on
            texts = yield from self._value(branches[0], side)
            if isinstance(texts, Refusal) and "when it runs" in texts.reason and branches[1:]:
                self.remarks["what a program made of the prompt is not in the file"] = None
                texts = yield from self._value(branches[1], side)
            return texts
        numbered = sorted((n for n in inputs if names.NUMBERED.fullmatch(n)), key=_number)
        numbered = numbered or sorted(n for n in inputs if names.CONDITIONING.fullmatch(n))
        index = next((inputs[n] for n in names.INDICES if type(inputs.get(n)) is int), None)
        if index is not None:
            numbered = [name for name in numbered if _number(name)[0] == index]
        if not numbered:
            return Refusal(f"node {node.id} ({node.kind}) chooses in a way that is not known")
        return (yield from self._value(inputs[numbered[0]], side))

    def _condition(self, node: Node) -> bool | None:
        value = next((node.inputs[n] for n in names.CONDITIONS if n in node.inputs), None)
        target = self._graph.target(value)
        if target is not None:
            value = target.inputs.get("value", target.inputs.get("boolean"))
        return value if isinstance(value, bool) else None

    def _only_link(self, node: Node, side: Polarity) -> Steps:
        """A node of unknown names passes on its only input."""
        linked = [
            target for name, target in self._graph.links(node) if not names.NOT_TEXT.fullmatch(name)
        ]
        if len(linked) != 1 or names.RUNTIME.search(node.kind):
            return Refusal(f"node {node.id} ({node.kind}) is not known")
        return (yield (linked[0].id, side))

    def _shown_or(self, node: Node, steps: Steps) -> Steps:
        """A node's text; where it cannot be traced, the text that its box showed."""
        texts = yield from steps
        if isinstance(texts, Refusal) and node.kind.startswith("ShowText"):
            cached = node.inputs.get("text_0")
            shown = self._graph.shown(node)
            text = cached if shown is None else shown
            if isinstance(text, str) and text.strip():
                return (text,)
        return texts


def _answered(texts: Texts) -> Steps:
    """Steps that are done."""
    return texts
    yield  # what makes it a generator


def _unique(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Each text once; blank ones say nothing."""
    first: dict[str, str] = {}
    for text in texts:
        if text.strip():
            first.setdefault(text.strip(), text)
    return tuple(first.values())


def _number(name: str) -> tuple[int, str]:
    """The order of ``text_2`` and ``text_10``, or of ``text_a`` and ``text_b``."""
    digits = "".join(filter(str.isdigit, name))
    return int(digits) if digits and len(digits) < 9 else 0, name


def _bounded(texts: Texts, node: str) -> Texts:
    """Nodes that join one text with itself again and again would fill the memory."""
    if isinstance(texts, Refusal):
        return texts
    if len(texts) > MOST_TEXTS or sum(map(len, texts)) > LONGEST:
        return Refusal(f"node {node} has more text than a prompt")
    return texts
