"""The plugin ``clip-l16-384``: timm's ViT-L/16 at 384 pixels with a linear head.

Its tower is a plain ViT, trained on ImageNet, and no CLIP; the name is that of the member in the
68th-place solution (plugins/kaggle-68th.md).
"""

from __future__ import annotations

from pydantic import Field

from unprompt import PredictorSpec, hookimpl
from unprompt.towers import NamedSource, TimmSource
from unprompt_clip.options import RegressorOptions


class L16Options(RegressorOptions):
    """Options of ``clip-l16-384``."""

    backbone: TimmSource = Field(
        default=NamedSource(model="vit_large_patch16_384", pretrained="augreg_in21k_ft_in1k"),
        description="A timm model; `checkpoint` may hold a `head.*` as wide as the target space.",
    )


@hookimpl
def unprompt_predictor() -> PredictorSpec:
    """Offer ``clip-l16-384``."""
    return PredictorSpec(
        name="clip-l16-384",
        summary="a plain ViT-L/16 of timm at 384 pixels with a linear head, its own or fitted",
        options=L16Options,
        target="unprompt_clip.regressor:TimmRegressor",
    )
