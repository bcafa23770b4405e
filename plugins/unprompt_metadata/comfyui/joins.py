"""Nodes that join several texts into one, or choose one of several."""

from __future__ import annotations

from unprompt_metadata.comfyui import names
from unprompt_metadata.comfyui.graph import Graph, Node, is_link
from unprompt_metadata.comfyui.names import Polarity
from unprompt_metadata.comfyui.steps import (
    AT_RUN_TIME,
    MOST_TEXTS,
    Steps,
    made_at_run_time,
    number,
    value_steps,
)
from unprompt_metadata.prompts import LONGEST, Refusal

REWRITTEN = "what a program made of the prompt when it ran is not in the file"

_KEEPS_BLANKS = ("StringConcatenate", "JoinString", "CR Text Concatenate")


def numbered_inputs(node: Node) -> list[str]:
    """Inputs such as ``text_a`` or ``string2``, in their order."""
    return sorted((n for n in node.inputs if names.NUMBERED.fullmatch(n)), key=number)


def joins(node: Node) -> bool:
    """Whether a node makes one text of its numbered ones."""
    delimited = any(name in node.inputs for name in names.DELIMITERS)
    return delimited or names.JOINING.search(node.kind) is not None


def joined(graph: Graph, node: Node, side: Polarity) -> Steps:
    """One text from several, with what is between them."""
    inputs = node.inputs
    if inputs.get("action", "append") != "append" or inputs.get("prefix") or inputs.get("suffix"):
        return Refusal(f"node {node.id} ({node.kind}) changes its texts")
    parts, length = list[str](), 0
    for name in numbered_inputs(node):
        if isinstance(inputs[name], str) or is_link(inputs[name]):
            part = yield from value_steps(graph, inputs[name], side)
            if isinstance(part, Refusal):
                return part
            parts.append(", ".join(part))
            length += len(parts[-1])
            if length > LONGEST or len(parts) > MOST_TEXTS:
                return Refusal(f"node {node.id} has more text than a prompt")
    full = [part for part in parts if part.strip()]
    if len(full) <= 1:
        return tuple(full)
    glue = _glue(node)
    if glue is None:
        return Refusal(f"node {node.id} ({node.kind}) joins texts in a way that is not known")
    return (glue.join(parts if node.kind.startswith(_KEEPS_BLANKS) else full),)


def _glue(node: Node) -> str | None:
    """What is between the texts; None: it is not known."""
    glue = next((node.inputs[name] for name in names.DELIMITERS if name in node.inputs), None)
    if isinstance(glue, str):
        return glue.replace("\\n", "\n")
    tidied = node.inputs.get("tidy_tags")
    return None if tidied is None else ", " if tidied == "yes" else ""


def switched(graph: Graph, node: Node, side: Polarity, remarks: dict[str, None]) -> Steps:
    """The text that a switch chose.

    Args:
        graph: The graph.
        node: The switch.
        side: Which texts.
        remarks: Where to add what a reader has to know of the choice.
    """
    inputs = node.inputs
    on = next((inputs[name] for name in names.ON if name in inputs), None)
    off = next((inputs[name] for name in names.OFF if name in inputs), None)
    if on is not None or off is not None:
        return (yield from _branch(graph, node, (on, off), side, remarks))
    choices = numbered_inputs(node)
    choices = choices or sorted(n for n in inputs if names.CONDITIONING.fullmatch(n))
    index = next((inputs[name] for name in names.INDICES if type(inputs.get(name)) is int), None)
    if index is not None:
        choices = [name for name in choices if number(name)[0] == index]
    if not choices:
        return Refusal(f"node {node.id} ({node.kind}) chooses in a way that is not known")
    return (yield from value_steps(graph, inputs[choices[0]], side))


def _branch(
    graph: Graph,
    node: Node,
    branches: tuple[object, object],
    side: Polarity,
    remarks: dict[str, None],
) -> Steps:
    """The chosen one of two; the other, where what was chosen is made when the graph runs.

    A prompt enhancer is wired so: one branch has what the user wrote, the other what a language
    model made of it. Then both choices lead to the only text that there is.
    """
    chosen = _condition(graph, node)
    first, second = branches if chosen is not False else branches[::-1]
    texts = yield from value_steps(graph, first, side)
    if chosen is not None and not made_at_run_time(texts):
        return texts
    other = yield from value_steps(graph, second, side)
    if made_at_run_time(texts) and not made_at_run_time(other):
        texts, other = other, texts
    if made_at_run_time(other) and not isinstance(texts, Refusal):
        remarks[REWRITTEN] = None
        return texts
    if texts == other:
        return texts
    return Refusal(f"node {node.id} ({node.kind}) chooses {AT_RUN_TIME}")


def _condition(graph: Graph, node: Node) -> bool | None:
    value = next((node.inputs[name] for name in names.CONDITIONS if name in node.inputs), None)
    if (target := graph.target(value)) is not None:
        value = target.inputs.get("value", target.inputs.get("boolean"))
    return value if isinstance(value, bool) else None
