"""How large the images of a graph are, where its numbers say so."""

from __future__ import annotations

from unprompt_metadata.comfyui import names
from unprompt_metadata.comfyui.graph import Graph, Node

_FACTORS = ("scale_by", "upscale_by")


class Sizes:
    """Follows images and latents back to the node that set their size."""

    def __init__(self, graph: Graph) -> None:
        """Keep the graph."""
        self._graph = graph

    def of(self, node: Node) -> tuple[int, int] | None:
        """Width and height of what a node saves, in pixels; None where it is not known.

        A model that enlarges has a factor of its own, which is not in the graph.
        """
        factor, seen = 1.0, {node.id}
        while True:
            width, height = node.inputs.get("width"), node.inputs.get("height")
            if type(width) is int and type(height) is int and width and height:
                return round(width * factor), round(height * factor)
            if "upscale_model" in node.inputs:
                return None
            for name in _FACTORS:
                by = node.inputs.get(name)
                if isinstance(by, int | float) and 0 < by < 100:
                    factor *= by
            ways = [
                target
                for name, target in self._graph.links(node)
                if names.IMAGES.fullmatch(name) or name == "latent_image"
            ]
            if len(ways) != 1 or ways[0].id in seen:
                return None
            node = ways[0]
            seen.add(node.id)
