"""The greedy chain of mode ``best``: add the phrase that helps most, as long as one helps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    def grow(
        self, starts: Sequence[str], phrases: Sequence[Sequence[str]], images: FloatArray
    ) -> list[str]:
        """Add phrases to n texts, step by step side by side: small batches keep no processor busy.

        Args:
            starts: n captions, not cut; where one is empty the first phrase starts.
            phrases: n lists of candidates, the nearest to the image first.
            images: The images' unit rows of shape (n, C).
        """
        texts = [_Growing.of(*pair, self.max_phrases) for pair in zip(starts, phrases, strict=True)]
        begun = [i for i, growing in enumerate(texts) if growing.text]
        reached = self._of_each({i: [texts[i].text] for i in begun}, images)
        for i in begun:
            texts[i].reached = float(reached[i][0])
        while begun:
            rows = {i: self._joiner.rows(texts[i].text, texts[i].remaining) for i in begun}
            rows = {i: row for i, row in rows.items() if row[1] and texts[i].steps}
            cosines = self._of_groups({i: tokens for i, (tokens, _) in rows.items()}, images)
            begun = [i for i, (_, numbers) in rows.items() if texts[i].add(numbers, cosines[i])]
        return [growing.text for growing in texts]

    def nearest(self, texts: Sequence[Sequence[str]], images: FloatArray) -> list[str]:
        """Of each of n lists of texts the first of those nearest to its image; empty: of none.

        Args:
            texts: n lists.
            images: The images' unit rows of shape (n, C).
        """
        cosines = self._of_each({i: some for i, some in enumerate(texts) if some}, images)
        return [some[first_best(cosines[i])] if some else "" for i, some in enumerate(texts)]

    def _of_each(
        self, texts: Mapping[int, Sequence[str]], images: FloatArray
    ) -> dict[int, FloatArray]:
        """Image -> the cosine of each of its texts with it."""
        import torch

        if not texts:
            return {}
        joined = self.towers.tokens([text for some in texts.values() for text in some])
        parts = torch.split(joined, [len(some) for some in texts.values()])
        return self._of_groups(dict(zip(texts, parts, strict=True)), images)

    def _of_groups(
        self, tokens: Mapping[int, torch.Tensor], images: FloatArray
    ) -> dict[int, FloatArray]:
        """Image -> the cosine of each of its token rows with it; most of them begin alike."""
        rows = self.towers.encode_groups([*tokens.values()], self.chunk)
        return {i: own @ images[i] for i, own in zip(tokens, rows, strict=True)}


@dataclass(slots=True)
class _Growing:
    """A text on the way.

    Attributes:
        text: So far; empty where there is nothing to say.
        remaining: Phrases that are not in it.
        steps: Phrases that may still be added.
        reached: Its cosine with the image.
    """

    text: str
    remaining: list[str]
    steps: int
    reached: float = -1.0

    @classmethod
    def of(cls, start: str, phrases: Sequence[str], steps: int) -> _Growing:
        """The start, or the first phrase, which counts as a step."""
        if start or not phrases:
            return cls(start, list(phrases), steps)
        return cls(phrases[0], list(phrases[1:]), steps - 1)

    def add(self, numbers: Sequence[int], cosines: FloatArray) -> bool:
        """Add the phrase that helps most; whether one does.

        Args:
            numbers: Of the remaining phrases that were tried.
            cosines: Of the text with each of them.
        """
        best = first_best(cosines)
        if cosines[best] <= self.reached + TIE:
            return False
        self.reached = float(cosines[best])
        self.text = f"{self.text}, {self.remaining.pop(numbers[best])}"
        self.steps -= 1
        return True
