"""The plugin ``clip-l14``: CLIP ViT-L/14's vision tower with a linear head."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from unprompt import Model, PredictorSpec, hookimpl
from unprompt.backbones import BackboneConfig

Penalty = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class L14Options(Model):
    """Options of ``clip-l14``."""

    backbone: BackboneConfig = Field(
        default=BackboneConfig(model="openai/clip-vit-large-patch14"),
        description="A transformers CLIP vision tower.",
    )
    penalties: tuple[Penalty, ...] = Field(
        default=(1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0),
        strict=False,
        min_length=1,
        description="Ridge penalties to choose from, on standardised features; the choice is by "
        "leave-one-out error on the train split.",
    )
    evidence: int = Field(default=5, ge=1, description="Nearest train prompts to show per picture.")


@hookimpl
def unprompt_predictor() -> PredictorSpec:
    """Offer ``clip-l14``."""
    return PredictorSpec(
        name="clip-l14",
        summary="CLIP ViT-L/14 vision tower with a linear head fitted on the train split",
        options=L14Options,
        target="unprompt_clip.regressor:ClipRegressor",
    )
