"""How near the splits of a run come to each other: prompts by cosine, images byte by byte."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from unprompt._scoring.digits import below
from unprompt._scoring.estimate import Result

Pair = Literal["train_holdout", "train_test", "holdout_test", "folds"]
NAMES: Mapping[Pair, tuple[str, str]] = {
    "train_test": ("train", "test"),
    "train_holdout": ("train", "holdout"),
    "holdout_test": ("holdout", "test"),
    "folds": ("another fold", "train and holdout"),
}
"""Where what is met again comes from, and whose images meet it."""
Count = Annotated[int, Field(ge=0)]
Cosine = Annotated[float, Field(ge=-1.001, le=1.001)]


class Leak(Result):
    """What splits have in common. With folds, train and holdout are one, dealt to folds.

    Attributes:
        group_cosine: From which cosine on two prompts count as near-duplicates.
        train_holdout_max_cosine: The highest one of a train and a holdout prompt; None with folds.
        train_test_max_cosine: Of a train and a test prompt.
        holdout_test_max_cosine: Of a holdout and a test prompt; None with folds.
        folds_max_cosine: Of prompts in two folds; None without folds.
        near_duplicates: Pair of splits -> images of the second whose prompt has a near-duplicate
            in the first.
        identical_images: Pair of splits -> images of the second that are in the first byte for
            byte.
    """

    group_cosine: float
    train_holdout_max_cosine: Cosine | None = None
    train_test_max_cosine: Cosine
    holdout_test_max_cosine: Cosine | None = None
    folds_max_cosine: Cosine | None = None
    near_duplicates: Mapping[Pair, Count]
    identical_images: Mapping[Pair, Count]

    @property
    def nearest(self) -> Mapping[Pair, float]:
        """Pair of splits -> the highest cosine between them, for all that were measured."""
        cosines: dict[Pair, float | None] = {
            "train_test": self.train_test_max_cosine,
            "train_holdout": self.train_holdout_max_cosine,
            "holdout_test": self.holdout_test_max_cosine,
            "folds": self.folds_max_cosine,
        }
        return {pair: value for pair, value in cosines.items() if value is not None}

    @property
    def folds(self) -> bool:
        """Whether train and holdout were one, dealt to folds."""
        return self.train_holdout_max_cosine is None

    def summary(self) -> str:
        """Train and test in one sentence, without its full stop."""
        nearest = below(self.train_test_max_cosine, self.group_cosine)
        same = self.identical_images.get("train_test", 0)
        images = "no test image is" if not same else f"{_images('test', same)}"
        return (
            f"the nearest test prompt to a train prompt has cosine {nearest}; {images} "
            "byte-identical to a train image"
        )

    def warnings(self, sizes: Mapping[str, int]) -> list[str]:
        """One sentence for each way in which splits share what a group would have kept together.

        Args:
            sizes: Images of ``holdout``, ``test``, and of ``train and holdout`` with folds.
        """
        lines = []
        for pair in self.nearest:
            source, other = NAMES[pair]
            total = sizes[other]
            near, same = self.near_duplicates.get(pair, 0), self.identical_images.get(pair, 0)
            if near:
                lines.append(
                    f"{near} of {total} {other} images have a near-duplicate of their prompt in "
                    f"{source} (cosine {self.group_cosine:g} or more, the highest "
                    f"{self.nearest[pair]:.4f}){_consequence(pair)}"
                )
            if same:
                lines.append(
                    f"{same} of {total} {other} images are in {source} byte for byte"
                    f"{_consequence(pair)}"
                )
        return lines


def _images(split: str, count: int) -> str:
    return f"1 {split} image is" if count == 1 else f"{count} {split} images are"


def _consequence(pair: Pair) -> str:
    """What it does to the numbers."""
    if pair == "train_test":
        return ": scores on test are too good for new prompts"
    if pair == "holdout_test":
        return ": the two are not independent"
    return ": weights were chosen on what members had learned"
