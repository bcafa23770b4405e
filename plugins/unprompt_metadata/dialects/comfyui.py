"""ComfyUI: the graph that ran (``prompt``), and what Civitai adds to it.

The graph is in PNG's ``prompt``, in EXIF's Make or Model behind a keyword, or in a comment. The
``workflow`` beside it is the drawing that the user sees: nodes in it may be off, and inputs have no
names; it only says in which order inputs were wired, and what text boxes showed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unprompt_metadata.comfyui.graph import MOST_NODES, Graph
from unprompt_metadata.comfyui.images import GraphPrompt, graph_prompt
from unprompt_metadata.prompts import Answer, ReadPrompt, Refusal, answer
from unprompt_metadata.record import PARAMETERS, Entry, Record

NAME = "ComfyUI"
_EXTRA = "extraMetadata"


def read(record: Record) -> Iterator[Answer]:
    """Read each graph; a workflow without one is refused."""
    graphs = [item for item in record.objects("prompt", PARAMETERS) if _is_graph(item[1])]
    for entry, nodes in graphs:
        yield _read(record, entry, nodes)
    if graphs:
        return
    for entry in record.all("prompt"):
        if entry.object is None and entry.text.lstrip().startswith("{"):
            yield Refusal(f"{entry.field} {entry.flaw}")
    for entry in record.all("workflow"):
        yield Refusal(f"{entry.field}: a {NAME} workflow without the graph that ran")
    for entry, extra in record.objects(_EXTRA):
        prompt, negative = extra.get("prompt"), extra.get("negativePrompt")
        yield answer("Civitai", entry.field, prompt, negative)


def _is_graph(values: dict[str, Any]) -> bool:
    return any(isinstance(node, dict) and "class_type" in node for node in values.values())


def _read(record: Record, entry: Entry, nodes: dict[str, Any]) -> Answer:
    extra = _civitai(record, entry, nodes)
    name = NAME if extra is None else "Civitai"
    workflow = record.beside(entry, "workflow")
    traced: GraphPrompt | Refusal
    if len(nodes) > MOST_NODES:
        traced = Refusal(f"the graph has {len(nodes):,} nodes")
    else:
        lost = workflow.object is None if workflow else record.damaged
        graph = Graph(nodes, workflow.object if workflow else None, lost=lost)
        traced = graph_prompt(graph, record.size)
    if isinstance(traced, Refusal):
        result: Answer = Refusal(f"{entry.field}: {traced.reason}")
    else:
        result = answer(name, entry.field, traced.positive, traced.negative, remark=traced.remark)
    if isinstance(result, ReadPrompt) or extra is None:
        return result
    return answer(name, entry.field, extra.get("prompt"), extra.get("negativePrompt"))


def _civitai(record: Record, entry: Entry, nodes: dict[str, Any]) -> dict[str, Any] | None:
    """Civitai's object inside the graph, or beside it."""
    inner = nodes.get(_EXTRA)
    if isinstance(inner, dict):
        return inner
    if isinstance(inner, str):
        try:
            return record.json.object(inner)
        except ValueError:
            return None
    beside = record.beside(entry, _EXTRA)
    return beside.object if beside is not None else None
