"""The plugin ``knn-vit-g``: kNN regression with OpenCLIP ViT-g/14."""

from __future__ import annotations

from pydantic import Field

from unprompt import PredictorSpec, hookimpl
from unprompt.towers import NamedSource, OpenClipSource
from unprompt_knn.options import KnnOptions


class VitGOptions(KnnOptions):
    """Options of ``knn-vit-g``."""

    backbone: OpenClipSource = Field(
        default=NamedSource(model="ViT-g-14", pretrained="laion2b_s34b_b88k"),
        description="An open_clip model: image and text tower.",
    )


@hookimpl
def unprompt_predictor() -> PredictorSpec:
    """Offer ``knn-vit-g``."""
    return PredictorSpec(
        name="knn-vit-g",
        summary="kNN regression over a bank of prompts, OpenCLIP ViT-g/14",
        options=VitGOptions,
        target="unprompt_knn.knn:Knn",
    )
