"""Programs whose parameters are one flat JSON object: Fooocus, RuinedFooocus, Spaces and others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unprompt_metadata.dialects import novelai
from unprompt_metadata.prompts import Answer, answer
from unprompt_metadata.record import PARAMETERS, Entry, Record

# Two of these beside a prompt say that an object is settings of a diffusion pipeline.
_SETTINGS = frozenset(
    {
        *("guidance_scale", "num_inference_steps", "negative_prompt", "resolution", "seed"),
        *("sampler", "scheduler", "steps", "width", "height", "Model", "Model hash", "model"),
    }
)
_EASY = "use_stable_diffusion_model"


def read(record: Record) -> Iterator[Answer]:
    """Read each object under ``parameters``, ``metadata`` or in a comment."""
    for entry, values in record.objects(PARAMETERS, "metadata", "Comment"):
        if novelai.wrote(record, entry, values):  # which has said why it holds no prompt
            continue
        texts = {k: v.strip() if isinstance(v, str) else v for k, v in values.items()}
        if (result := _read(entry, texts, bool(record.all("fooocus_scheme")))) is not None:
            yield result


def read_easy_diffusion(record: Record) -> Iterator[Answer]:
    """Easy Diffusion has a chunk for each setting."""
    for entry in record.all(_EASY, "Stable Diffusion model"):
        for key, against in (("prompt", "negative_prompt"), ("Prompt", "Negative Prompt")):
            if (prompt := record.beside(entry, key)) is not None:
                negative = record.beside(entry, against)
                text = negative.text if negative is not None else ""
                yield answer("Easy Diffusion", prompt.field, prompt.value, text)


def _read(entry: Entry, values: dict[str, Any], scheme: bool) -> Answer | None:
    field, prompt, negative = entry.field, values.get("prompt"), values.get("negative_prompt")
    if str(values.get("software", "")).startswith("RuinedFooocus"):
        return answer("RuinedFooocus", field, values.get("Prompt"), values.get("Negative"))
    if scheme or _is_fooocus(values):
        full = values.get("full_prompt")  # with its styles: what the model was given
        if isinstance(full, list):
            full = full[0] if full else None
        styled = full if isinstance(full, str) and full.strip() else prompt
        return answer("Fooocus", field, styled, negative)
    if _EASY in values:
        return answer("Easy Diffusion", field, prompt, negative)
    if isinstance(prompt, str) and len(_SETTINGS & values.keys()) >= 2:
        return answer("Hugging Face Space", field, prompt, negative)
    return None


def _is_fooocus(values: dict[str, Any]) -> bool:
    if values.get("metadata_scheme") == "fooocus":
        return True
    if str(values.get("version", "")).startswith("Fooocus"):
        return True
    return "prompt" in values and "base_model" in values and "performance" in values
