"""The graph that ran: nodes with named inputs, each a value or a link to another node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MOST_NODES = 12_000
"""Of a graph that is traced; large ones have some hundred."""


_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Node:
    """One node.

    Attributes:
        id: Its key in the graph.
        kind: Its class, such as ``KSampler``.
        inputs: By name.
    """

    id: str
    kind: str
    inputs: Mapping[str, Any]

    @property
    def label(self) -> str:
        """Key and class, for one line; strangers choose both."""
        text = f"node {self.id[:_SHOWN]} ({self.kind[:_SHOWN]})"
        return "".join(letter if letter.isprintable() else "?" for letter in text)


class Graph:
    """All nodes, in the order of the JSON; what is not a node is left out.

    Attributes:
        nodes: By key.
        lost: Whether there may have been a workflow that could not be read, so that the order of
            wires is not known.
    """

    def __init__(
        self,
        nodes: Mapping[str, Any],
        workflow: Mapping[str, Any] | None = None,
        *,
        lost: bool = False,
    ) -> None:
        """Read nodes, and from the workflow the order of wires and shown texts.

        Args:
            nodes: The object under ``prompt``, of at most `MOST_NODES` keys.
            workflow: The object under ``workflow``; it may be of any shape.
            lost: Whether there may be a workflow that could not be read.
        """
        self.lost = lost
        self.nodes: dict[str, Node] = {}
        for key, node in nodes.items():
            if isinstance(node, dict) and isinstance(node.get("class_type"), str):
                inputs = node.get("inputs")
                inputs = inputs if isinstance(inputs, dict) else {}
                self.nodes[key] = Node(key, node["class_type"], inputs)
        self._wires = _wires(workflow or {})
        self._shown = _shown(workflow or {})

    def target(self, value: object) -> Node | None:
        """The node that an input is linked to; None for a value, or a link to nothing."""
        if not is_link(value):
            return None
        assert isinstance(value, list)
        return self.nodes.get(str(value[0]))

    def links(self, node: Node) -> Iterator[tuple[str, Node]]:
        """The linked inputs of a node."""
        for name, value in node.inputs.items():
            if (target := self.target(value)) is not None:
                yield name, target

    def wired(self, node: Node, target: Node) -> int:
        """The place of a wire between two nodes in the workflow; large where it has none."""
        return self._wires.get((target.id, node.id), len(self._wires) + 1)

    def shown(self, node: Node) -> str | None:
        """The text that a node's box showed when the image was saved."""
        return self._shown.get(node.id)


def is_link(value: object) -> bool:
    """Whether an input is a link: the key of a node, and the number of its output."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str | int)
        and isinstance(value[1], int)
        and not isinstance(value[1], bool)
    )


def _wires(workflow: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """``(from, to)`` -> place in the list of wires: ``[id, from, output, to, input, type]``."""
    wires: dict[tuple[str, str], int] = {}
    links = workflow.get("links")
    for place, link in enumerate(links if isinstance(links, list) else ()):
        if isinstance(link, list) and len(link) >= 4:
            wires.setdefault((str(link[1]), str(link[3])), place)
    return wires


def _shown(workflow: Mapping[str, Any]) -> dict[str, str]:
    """Node -> the first text of its widgets, where there is just one."""
    shown: dict[str, str] = {}
    nodes = workflow.get("nodes")
    for node in nodes if isinstance(nodes, list) else ():
        values = node.get("widgets_values") if isinstance(node, dict) else None
        if isinstance(values, list):
            flat = [v for value in values for v in (value if isinstance(value, list) else [value])]
            texts = [value for value in flat if isinstance(value, str)]
            if len(texts) == 1:
                shown[str(node.get("id"))] = texts[0]
    return shown
