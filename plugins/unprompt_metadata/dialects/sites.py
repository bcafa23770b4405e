"""SwarmUI, TensorArt and Stability Matrix: an object of their own beside a ComfyUI graph.

Their object is what the user wrote; it comes before the graph, whose nodes are their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from unprompt_metadata.prompts import Answer, Refusal, answer
from unprompt_metadata.record import PARAMETERS, Record


def read_swarmui(record: Record) -> Iterator[Answer]:
    """``sui_image_params``, in PNG's ``parameters`` and EXIF's comment."""
    for entry, values in record.objects(PARAMETERS, "prompt"):
        if "sui_image_params" in values:
            inner = values["sui_image_params"]
            params = inner if isinstance(inner, dict) else {}
            prompt, negative = params.get("prompt"), params.get("negativeprompt")
            yield answer("SwarmUI", entry.field, prompt, negative)


def read_tensorart(record: Record) -> Iterator[Answer]:
    """``generation_data``."""
    for entry in record.all("generation_data"):
        if (data := entry.object) is None:
            yield Refusal(f"{entry.field} {entry.flaw}")
        else:
            prompt, negative = data.get("prompt"), data.get("negativePrompt")
            yield answer("TensorArt", entry.field, prompt, negative)


def read_stability_matrix(record: Record) -> Iterator[Answer]:
    """``parameters-json``, beside ``smproj``."""
    for entry in record.all("parameters-json"):
        if (data := entry.object) is None:
            yield Refusal(f"{entry.field} {entry.flaw}")
        else:
            prompt, negative = data.get("PositivePrompt"), data.get("NegativePrompt")
            yield answer("Stability Matrix", entry.field, prompt, negative)
