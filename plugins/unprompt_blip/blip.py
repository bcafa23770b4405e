"""The plugin ``clip-blip``: a caption plus CLIP-ranked phrases, read by the text encoder."""

from __future__ import annotations

from unprompt import PredictorSpec, hookimpl
from unprompt_blip.options import InterrogatorOptions


@hookimpl
def unprompt_predictor() -> PredictorSpec:
    """Offer ``clip-blip``."""
    return PredictorSpec(
        name="clip-blip",
        summary="the interrogator: a caption and CLIP-ranked phrases, OpenCLIP ViT-H/14 and BLIP",
        options=InterrogatorOptions,
        target="unprompt_blip.interrogator:Interrogator",
    )
