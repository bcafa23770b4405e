"""The plugin ``clip-l14``: CLIP ViT-L/14's vision tower with a linear head."""

from __future__ import annotations

from pydantic import Field

from unprompt import PredictorSpec, hookimpl
from unprompt.towers import HubSource, TransformersSource
from unprompt_clip.options import RegressorOptions


class L14Options(RegressorOptions):
    """Options of ``clip-l14``."""

    backbone: TransformersSource = Field(
        default=HubSource(model="openai/clip-vit-large-patch14"),
        description="A CLIP vision tower; `checkpoint` may hold `vision.*` and `fc.*`.",
    )


@hookimpl
def unprompt_predictor() -> PredictorSpec:
    """Offer ``clip-l14``."""
    return PredictorSpec(
        name="clip-l14",
        summary="CLIP ViT-L/14 vision tower with a linear head, its own or fitted on train",
        options=L14Options,
        target="unprompt_clip.regressor:ClipRegressor",
    )
