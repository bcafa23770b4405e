"""The greedy chain of mode ``best``: add the phrase that helps most, as long as one helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from unprompt.towers import ClipTowers
from unprompt_blip.tokens import Joiner

if TYPE_CHECKING:
    import torch

FloatArray = npt.NDArray[np.float32]

TIE = 1e-6
"""Cosines nearer to each other than this are equal, so that rounding decides nothing."""


def first_best(cosines: FloatArray) -> int:
    """The first of the largest cosines (n,), n > 0."""
    return int(np.argmax(cosines >= cosines.max() - TIE))


@dataclass(frozen=True)
class Chain:
    """Grows texts towards images.

    Source: clip-interrogator's ``interrogate``; here it ends at the first step that brings
    nothing, and phrases that would not fit are not tried.

    Attributes:
        towers: CLIP.
        chunk: Texts in one forward pass.
        max_phrases: Steps at most.
    """

    towers: ClipTowers
    chunk: int
    max_phrases: int

    @cached_property
    def _joiner(self) -> Joiner:
        return Joiner(self.towers)

    def grow(self, start: str, phrases: Sequence[str], image: FloatArray) -> str:
        """Add phrases to a text.

        Args:
            start: The caption, not cut; where it is empty the first phrase starts.
            phrases: Candidates, the nearest to the image first.
            image: The image's unit row of shape (C,).
        """
        remaining = list(phrases)
        text = start or (remaining.pop(0) if remaining else "")
        if not text:
            return ""
        reached = float(self.cosines([text], image)[0])
        for _ in range(self.max_phrases - (not start)):
            tokens, numbers = self._joiner.rows(text, remaining)
            if not numbers:
                break
            cosines = self._encoded(tokens, image)
            best = first_best(cosines)
            if cosines[best] <= reached + TIE:
                break
            reached = float(cosines[best])
            text = f"{text}, {remaining.pop(numbers[best])}"
        return text

    def cosines(self, texts: Sequence[str], image: FloatArray) -> FloatArray:
        """Each text's cosine with an image, float32 of shape (len(texts),)."""
        return self._encoded(self.towers.tokens(texts), image)

    def _encoded(self, tokens: torch.Tensor, image: FloatArray) -> FloatArray:
        starts = range(0, len(tokens), self.chunk)
        parts = [self.towers.encode_tokens(tokens[i : i + self.chunk]) @ image for i in starts]
        cosines: FloatArray = np.concatenate(parts)
        return cosines
