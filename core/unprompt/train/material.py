"""What a training teaches with: the prompts of pictures, their rows in the target space, words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from unprompt.contracts import Dataset, TextEncoder
from unprompt.errors import ConfigError
from unprompt.train.words import Words
from unprompt.types import FloatArray


@dataclass(frozen=True)
class Material:
    """N pictures' prompts and what can be said of them.

    Attributes:
        prompts: N prompts.
        targets: Their unit rows in the target space, of shape (N, D).
        others: For each picture other prompts that could have made it; empty: none are known.
    """

    prompts: Sequence[str]
    targets: FloatArray
    others: Sequence[Sequence[str]] = ()

    @classmethod
    def of(cls, dataset: Dataset, encoder: TextEncoder, wordings: int = 1) -> Material:
        """Read everything of a dataset but its pictures.

        Args:
            dataset: All of its records are used, in their order.
            encoder: The target space.
            wordings: Prompts for each picture, its own among them.

        Raises:
            ConfigError: More than one wording is asked for, and the dataset knows no others.
        """
        records = dataset.records()
        prompts = [record.prompt for record in records]
        ids = [record.image_id for record in records]
        known = dataset.wordings(ids, wordings - 1) if wordings > 1 else {}
        if known is None:
            raise ConfigError("wordings: has to be 1: this dataset knows no other prompts")
        others = [known[name] for name in ids] if known else ()
        return cls(prompts, encoder.encode(prompts), others)

    @cached_property
    def words(self) -> Words:
        """The words of all prompts that a picture could have been made from."""
        others = self.others or [()] * len(self.prompts)
        return Words([(own, *more) for own, more in zip(self.prompts, others, strict=True)])
