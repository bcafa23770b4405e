"""What models are trained to predict: the prompts of images, their embeddings and their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from unprompt._recipes.words import Words
from unprompt.contracts import Dataset, TextEncoder
from unprompt.errors import ConfigError
from unprompt.types import FloatArray


@dataclass(frozen=True)
class Targets:
    """The prompts of N images and what is derived from them.

    Attributes:
        prompts: N prompts.
        embeddings: Their unit rows in the target space, of shape (N, D); D is 0 without one.
        others: For each image other prompts that could have made it; empty: none are known.
    """

    prompts: Sequence[str]
    embeddings: FloatArray
    others: Sequence[Sequence[str]] = ()

    @classmethod
    def of(cls, dataset: Dataset, encoder: TextEncoder | None, wordings: int = 1) -> Targets:
        """Read everything of a dataset but its images, in the order of its records.

        Args:
            dataset: All of its records are used.
            encoder: The target space, where something is trained towards it.
            wordings: Prompts for each image, its own among them.

        Raises:
            ConfigError: More than one wording is asked for, and the dataset knows no others.
        """
        records = dataset.records()
        prompts = [record.prompt for record in records]
        ids = [record.image_id for record in records]
        known = dataset.wordings(ids, wordings - 1) if wordings > 1 else {}
        if known is None:
            raise ConfigError("wordings: has to be 1: this dataset knows no other prompts")
        others = [known[image_id] for image_id in ids] if known else ()
        none = np.empty((len(prompts), 0), np.float32)
        return cls(prompts, encoder.encode(prompts) if encoder else none, others)

    @cached_property
    def words(self) -> Words:
        """The words of all prompts that an image could have been made from."""
        others = self.others or [()] * len(self.prompts)
        return Words([(own, *more) for own, more in zip(self.prompts, others, strict=True)])
