"""Nodes that join several texts into one, or choose one of several."""

from __future__ import annotations

from unprompt_metadata.comfyui import names
from unprompt_metadata.comfyui.graph import Graph, Node, is_link
from unprompt_metadata.comfyui.names import Polarity
from unprompt_metadata.comfyui.steps import (
    AT_RUN_TIME,
    MOST_TEXTS,
    Steps,
    Texts,
    made_at_run_time,
    number,
    value_steps,
)
from unprompt_metadata.prompts import LONGEST, Refusal

REWRITTEN = "what a program made of the prompt when it ran is not in the file"

# Nodes that join all their texts, also blank and missing ones.
_ALL = {
    "StringConcatenate": ("string_a", "string_b"),
    "JoinStrings": ("string1", "string2"),
    "CR Text Concatenate": ("text1", "text2"),
    "CR Combine Prompt": ("part1", "part2", "part3", "part4"),
}
_FIRST_OF = ("Any Switch", "Context Switch")  # of what is connected
_PLAIN_OPTIONS = frozenset({"action", "clean_whitespace", "result", "tidy_tags"})
_OFF = ("", "false", "False", "no", "none", "never", "keep", "disabled", "append")


def numbered_inputs(node: Node) -> list[str]:
    """Inputs such as ``text_a`` or ``string2``, in their order."""
    return sorted((n for n in node.inputs if names.NUMBERED.fullmatch(n)), key=number)


def joins(node: Node) -> bool:
    """Whether a node makes one text of its numbered ones."""
    delimited = any(name in node.inputs for name in names.DELIMITERS)
    return delimited or names.JOINING.search(node.kind) is not None


def joined(graph: Graph, node: Node, side: Polarity) -> Steps:
    """One text from several, with what is between them."""
    if _changes(node):
        return Refusal(f"{node.label} changes its texts")
    parts, length = list[str](), 0
    for name in _ALL.get(node.kind) or numbered_inputs(node):
        value = node.inputs.get(name, "")
        if not isinstance(value, str) and not is_link(value):
            continue
        part = yield from value_steps(graph, value, side)
        if isinstance(part, Refusal):
            return part
        parts.append(", ".join(part))
        length += len(parts[-1])
        if length > LONGEST or len(parts) > MOST_TEXTS:
            return Refusal(f"{node.label} has more text than a prompt")
    if node.inputs.get("clean_whitespace") in ("true", True):
        parts = [part.strip() for part in parts]
    texts = parts if node.kind in _ALL else [part for part in parts if part]
    if len(texts) < 2 or not any(texts):
        return tuple(filter(None, texts))
    if (glue := _glue(node)) is None:
        return Refusal(f"{node.label} joins texts in a way that is not known")
    return (glue.join(texts),)


def _changes(node: Node) -> bool:
    """Whether a node may do more than to join: replace, wrap, or something of an unknown name."""
    inputs = node.inputs
    if inputs.get("action", "append") != "append":
        return True
    more = inputs.keys() - _PLAIN_OPTIONS - set(names.DELIMITERS) - set(numbered_inputs(node))
    values = [inputs[name] for name in more]
    return any(v is True or (isinstance(v, str) and v not in _OFF) or is_link(v) for v in values)


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
    if not choices:
        return Refusal(f"{node.label} chooses in a way that is not known")
    index = _option(graph, node, names.INDICES)
    if type(index) is int:
        choices = [name for name in choices if number(name)[0] == index]
    elif node.kind.startswith(_FIRST_OF):
        choices = choices[:1]
    texts = list[Texts]()
    for name in choices:
        texts.append((yield from value_steps(graph, inputs[name], side)))
    if texts and all(other == texts[0] for other in texts):
        return texts[0]
    return Refusal(f"{node.label} chooses {AT_RUN_TIME}")


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
    chosen = _option(graph, node, names.CONDITIONS)
    first, second = branches if chosen is not False else branches[::-1]
    texts = yield from value_steps(graph, first, side)
    if isinstance(chosen, bool) and not made_at_run_time(texts):
        return texts
    other = yield from value_steps(graph, second, side)
    if made_at_run_time(texts) and not made_at_run_time(other):
        texts, other = other, texts
    if made_at_run_time(other) and not isinstance(texts, Refusal):
        remarks[REWRITTEN] = None
        return texts
    if texts == other:
        return texts
    return Refusal(f"{node.label} chooses {AT_RUN_TIME}")


def _option(graph: Graph, node: Node, options: tuple[str, ...]) -> object:
    """The value of the first of some inputs that a node has, or of the primitive behind it."""
    value = next((node.inputs[name] for name in options if name in node.inputs), None)
    if (target := graph.target(value)) is not None:
        return target.inputs.get("value", target.inputs.get("boolean"))
    return value
