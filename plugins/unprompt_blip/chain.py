"""The greedy chain of mode ``best``: add the phrase that helps most, as long as one helps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from unprompt.towers import ClipTowers
from unprompt_blip.tokens import Joiner

if TYPE_CHECKING:
    import torch

TIE = 1e-6
"""Cosines nearer to each other than this are equal, so that rounding decides nothing."""


def first_best(cosines: npt.NDArray[np.float32]) -> int:
    """The first of the largest cosines (n,), n > 0."""
    return int(np.argmax(cosines >= cosines.max() - TIE))


class Chain:
    """Grows texts towards images.

    Source: clip-interrogator's ``interrogate``; here it ends at the first step that brings
    nothing, and phrases that would not fit are not tried.
    """

    def __init__(self, towers: ClipTowers, chunk: int, max_phrases: int) -> None:
        """Store all.

        Args:
            towers: Tokenizer and text tower.
            chunk: Texts in one forward pass.
            max_phrases: Steps at most.
        """
        self._towers = towers
        self._joiner = Joiner(towers)
        self._chunk = chunk
        self._max_phrases = max_phrases

    def grow(self, start: str, phrases: Sequence[str], image: npt.NDArray[np.float32]) -> str:
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
        for _ in range(self._max_phrases - (not start)):
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

    def cosines(
        self, texts: Sequence[str], image: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """Each text's cosine with an image, float32 of shape (len(texts),)."""
        return self._encoded(self._towers.tokens(texts), image)

    def _encoded(
        self, tokens: torch.Tensor, image: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        starts = range(0, len(tokens), self._chunk)
        parts = [self._towers.encode_tokens(tokens[i : i + self._chunk]) @ image for i in starts]
        cosines: npt.NDArray[np.float32] = np.concatenate(parts)
        return cosines
