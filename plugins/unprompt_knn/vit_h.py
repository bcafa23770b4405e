"""The plugin ``knn-vit-h``: kNN regression with OpenCLIP ViT-H/14."""

from __future__ import annotations

from pydantic import Field

from unprompt import PredictorSpec, hookimpl
from unprompt.towers import NamedSource, OpenClipSource
from unprompt_knn.options import KnnOptions


class VitHOptions(KnnOptions):
    """Options of ``knn-vit-h``."""

    backbone: OpenClipSource = Field(
        default=NamedSource(model="ViT-H-14", pretrained="laion2b_s32b_b79k"),
        description="An open_clip model: image and text tower.",
    )


@hookimpl
def unprompt_predictor() -> PredictorSpec:
    """Offer ``knn-vit-h``."""
    return PredictorSpec(
        name="knn-vit-h",
        summary="kNN regression over a bank of prompts, OpenCLIP ViT-H/14",
        options=VitHOptions,
        target="unprompt_knn.knn:Knn",
    )
