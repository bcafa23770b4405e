"""What YAML may say about a ``knn-*`` member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from unprompt import ConfigError, Model, refuse_options, unread_option
from unprompt.bank import BankConfig
from unprompt.towers import IDENTITY, OpenClipSource, Views
from unprompt_knn.kernel import Softmax
from unprompt_knn.kernels import Auto, Kernel, Written
from unprompt_knn.queries import CaptionQueries, ImageQueries, Queries

CENTER_ON = 1000
"""Train images behind `center`: of that many, the mean is off by a 30th of their spread."""


class Rerank(Model):
    """A second CLIP, which looks at the neighbours that the first one has found."""

    backbone: OpenClipSource = Field(description="Another open_clip model.")
    candidates: int | None = Field(
        default=None,
        ge=1,
        description="Neighbours by the first backbone that the second one looks at, of which the "
        "`neighbours` best are kept. Default: twice the `neighbours`.",
    )
    threshold: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="Neighbours whose cosine by the second backbone is not above it are left out, "
        "but for the best one; cosines are CLIP's own, whatever `center` is. Default: none is.",
    )
    mix: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="How much of the new cosine is the second backbone's, the rest is the first "
        "one's; 0: the second one only leaves out.",
    )


class KnnOptions(Model):
    """Options that every ``knn-*`` family shares."""

    backbone: OpenClipSource = Field(description="An open_clip model: image and text tower.")
    bank: BankConfig = Field(default=BankConfig(), description="The prompts to search.")
    neighbours: int = Field(
        default=100,
        ge=1,
        description="K, the nearest bank rows to use; with kernel auto, the most of them.",
    )
    kernel: Written = Field(default=Softmax(), description="How much a neighbour counts.")
    count_power: float = Field(
        default=0.0,
        ge=-4,
        le=4,
        description="A prompt that the bank's source holds n times counts as n^count_power equal "
        "neighbours: 0: as one, 1: as n, as `bank.duplicates` has it, below 0: frequent ones count "
        "less.",
    )
    center: bool = Field(
        default=False,
        description="Whether the mean of the bank's keys and that of the train images' embeddings "
        "are taken out first: CLIP's images and texts lie apart. The latter is measured on up to "
        f"{CENTER_ON:,} images, spread evenly over the train split.",
    )
    queries: Queries = Field(
        default=ImageQueries(), description="What the bank is searched with; a name, or a map."
    )
    rerank: Rerank | None = Field(
        default=None, description="A second backbone, which scores the neighbours again."
    )
    exclude_exact: bool = Field(
        default=False,
        description="Whether neighbours that are the image's own prompt, whatever its case and "
        "spaces, are left out where that prompt is known, which is for images of the train split: "
        "those are then predicted as images are whose prompt the bank does not hold.",
    )
    views: Views = IDENTITY
    evidence: int = Field(default=5, ge=1, description="Neighbours to show per image.")

    @field_validator("count_power")
    @classmethod
    def _check_counts(cls, value: float, info: ValidationInfo) -> float:
        """Refuse to count twice."""
        bank = info.data.get("bank")
        if value and bank is not None and bank.duplicates:
            refuse_options([unread_option("with `bank.duplicates: true`: each row is there once")])
        return value

    @model_validator(mode="after")
    def _check_index(self) -> KnnOptions:
        """Refuse an index of keys that are changed."""
        if self.center and self.bank.index is not None:
            refuse_options(
                [unread_option("with `center`, which changes every key", "bank", "index")]
            )
        return self

    @property
    def candidates(self) -> int:
        """Neighbours to take from the bank, before any is left out."""
        if self.rerank is None:
            return self.neighbours
        return max(self.rerank.candidates or 2 * self.neighbours, self.neighbours)

    @property
    def one_kernel(self) -> Kernel:
        """The kernel to predict with; softmax as it is by default where none could be chosen."""
        return Softmax() if isinstance(self.kernel, Auto) else self.kernel


def check_variants(options: KnnOptions, variants: Sequence[KnnOptions]) -> None:
    """Refuse variants of a member's options that need another artifact or another tower.

    Raises:
        ConfigError: Another option differs, or a kernel would have to be fitted.
    """
    for variant in variants:
        if _without_free(options) != _without_free(variant):
            raise ConfigError(
                "only `neighbours` and `kernel` can be searched, and `count_power`, "
                "`queries.part`, `queries.join` and `rerank`, but for its `backbone`"
            )
        if variant.kernel.fit:
            raise ConfigError("`kernel.fit` has to be 0 where options are searched")


def _without_free(options: KnnOptions) -> KnnOptions:
    """Options with the same value in all that `predict_variants` can change."""
    same: dict[str, Any] = {"neighbours": 1, "kernel": Softmax(), "count_power": 0.0}
    if isinstance(options.queries, CaptionQueries):
        same["queries"] = options.queries.model_copy(update={"part": 0.5, "join": True})
    if options.rerank is not None:
        same["rerank"] = Rerank(backbone=options.rerank.backbone)
    return options.model_copy(update=same)
