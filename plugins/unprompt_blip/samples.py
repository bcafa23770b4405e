"""What several captions of an image say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from unprompt import TextEncoder, unit
from unprompt_blip.chain import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Captions sampled of n images, and where they are in the target space.

    The prompt is not known, only which captions are likely. The embedding with the highest expected
    cosine to an unknown unit row is the mean over where it may be, scaled to length 1; among
    the captions themselves it is the one nearest to that mean (minimum Bayes risk: Kumar and Byrne
    2004; of samples, Eikema and Aziz 2022, arXiv 2108.04718).

    Attributes:
        captions: The nearest one of each image; empty where none was sampled of any.
        sums: Sums of the captions' unit rows, of shape (n, D); None likewise.
    """

    captions: Sequence[str]
    sums: FloatArray | None

    @classmethod
    def of(cls, sampled: Sequence[Sequence[str]], encoder: TextEncoder) -> Samples:
        """Embed the captions; empty ones do not count.

        Args:
            sampled: Of each image.
            encoder: The target space; its fast one is used, where it has one: what a few samples
                leave out is far more than what that rounds.
        """
        spoken = [[text for text in texts if text] for texts in sampled]
        if not any(spoken):
            return cls((), None)
        rows = encoder.fastest().encode([text for texts in spoken for text in texts])
        ends = np.cumsum([0, *map(len, spoken)])
        parts = [rows[first:end] for first, end in pairwise(ends)]
        sums = np.stack([part.sum(axis=0) for part in parts])
        captions = [
            texts[int((part @ total).argmax())] if texts else ""
            for texts, part, total in zip(spoken, parts, sums, strict=True)
        ]
        return cls(captions, sums)

    def joined(self, rows: FloatArray) -> FloatArray:
        """Means of the captions' rows and one more of each image, unit rows of shape (n, D)."""
        return rows if self.sums is None else unit(rows + self.sums)
