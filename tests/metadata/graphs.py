"""ComfyUI graphs for tests, written as the web page writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from unprompt_metadata.dialects import read_prompt
from unprompt_metadata.fields import Field, FileTexts
from unprompt_metadata.prompts import Answer, ReadPrompt, Refusal

Nodes = dict[str, Any]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """A node; a link is a list of a key and a number."""
    return {"class_type": kind, "inputs": inputs}


def text_to_image(positive: Any = None, negative: Any = None, **nodes: Any) -> Nodes:
    """A sampler between two conditionings and a saved image.

    Args:
        positive: The sampler's input; None: a text encoder with ``a red wall``.
        negative: The same; None: a text encoder with ``blurry``.
        nodes: More nodes, by key; a leading underscore is dropped.
    """
    return {
        "4": node("CheckpointLoaderSimple", ckpt_name="model.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=512, batch_size=1),
        "6": node("CLIPTextEncode", text="a red wall", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="blurry", clip=["4", 1]),
        "3": node(
            "KSampler",
            seed=1,
            steps=20,
            cfg=7.0,
            sampler_name="euler",
            model=["4", 0],
            positive=positive or ["6", 0],
            negative=negative or ["7", 0],
            latent_image=["5", 0],
        ),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
        **{key.removeprefix("_"): value for key, value in nodes.items()},
    }


def encoded(text: Any) -> dict[str, Any]:
    """A text encoder."""
    return node("CLIPTextEncode", text=text, clip=["4", 1])


def texts_of(
    fields: Mapping[str, str], size: tuple[int, int] | None = None, form: str = "PNG"
) -> FileTexts:
    """What a file says, without the file."""
    return FileTexts(form, size, tuple(Field(name, text) for name, text in fields.items()))


def read_graph(
    nodes: Mapping[str, Any], workflow: Any = None, size: tuple[int, int] | None = None
) -> Answer | None:
    """What is read from a graph in a PNG file."""
    fields = {"png:prompt": json.dumps(nodes)}
    if workflow is not None:
        fields["png:workflow"] = json.dumps(workflow)
    return read_prompt(texts_of(fields, size))


def prompt_of(answer: Answer | None) -> str | None:
    """The prompt; None where there is none."""
    return answer.prompt if isinstance(answer, ReadPrompt) else None


def reason_of(answer: Answer | None) -> str:
    """Why there is no prompt."""
    assert isinstance(answer, Refusal), answer
    return answer.reason
