"""What YAML may say about a ``knn-*`` member."""

from __future__ import annotations

from pydantic import Field

from unprompt import Model
from unprompt.bank import BankConfig
from unprompt.towers import IDENTITY, OpenClipSource, Views
from unprompt_knn.kernel import Kernel, Softmax

CENTER_ON = 1000
"""Train images behind `center`: of that many, the mean is off by a 30th of their spread."""


class KnnOptions(Model):
    """Options that every ``knn-*`` family shares."""

    backbone: OpenClipSource = Field(description="An open_clip model: image and text tower.")
    bank: BankConfig = Field(default=BankConfig(), description="The prompts to search.")
    neighbours: int = Field(default=100, ge=1, description="K, the nearest bank rows to use.")
    kernel: Kernel = Field(default=Softmax(), description="How much a neighbour counts.")
    center: bool = Field(
        default=False,
        description="Whether the mean of the bank's keys and that of the train images' embeddings "
        "are taken out first: CLIP's images and texts lie apart. The latter is measured on up to "
        f"{CENTER_ON:,} images, spread evenly over the train split.",
    )
    views: Views = IDENTITY
    evidence: int = Field(default=5, ge=1, description="Neighbours to show per image.")
