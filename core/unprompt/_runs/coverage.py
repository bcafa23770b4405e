"""Scores on some of a split's images: where a member answered, and where a prompt was read."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from unprompt._scoring.estimate import Estimate, Result


class Part(Result):
    """Some of a split's images, and what a prediction scores on them.

    Attributes:
        images: How many they are.
        share: Of all images of the split, 0..1.
        groups: Groups of near-duplicate prompts among them.
        score: The mean cosine there, with its interval over these groups; None without images.
    """

    images: Annotated[int, Field(ge=0)]
    share: Annotated[float, Field(ge=0, le=1)]
    groups: Annotated[int, Field(ge=0)]
    score: Estimate | None

    @model_validator(mode="after")
    def _check(self) -> Self:
        empty = self.images == 0
        if self.groups > self.images or empty != (self.score is None) or empty != (self.groups < 1):
            raise PydanticCustomError("part", "images, groups and score do not fit each other")
        return self

    def of(self, images: int) -> bool:
        """Whether it is a part of so many images: that its share is right."""
        return abs(self.share * images - self.images) < 1e-6 * max(images, 1)


class Origins(Result):
    """The blend's score by where the prompts come from.

    Images for which nobody has an answer are in neither part.

    Attributes:
        read: Images whose prompt a member read from the file.
        predicted: Images whose prompt was predicted.
    """

    read: Part
    predicted: Part
