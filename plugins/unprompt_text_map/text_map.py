"""The plugin ``text-map``: CLIP's embedding, mapped to the target space as its texts are."""

from __future__ import annotations

from unprompt import PredictorSpec, hookimpl
from unprompt_text_map.options import TextMapOptions


@hookimpl
def unprompt_predictor() -> PredictorSpec:
    """Offer ``text-map``."""
    return PredictorSpec(
        name="text-map",
        summary="a linear map from CLIP's text embeddings to the target space, used on images",
        options=TextMapOptions,
        target="unprompt_text_map.mapper:TextMap",
    )
