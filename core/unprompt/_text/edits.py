"""Edits of a prompt: every one that is allowed, and the most promising by a linear estimate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unprompt._text.nearness import Nearness
from unprompt._text.parts import Part, Parts, length, split
from unprompt.embeddings import unit
from unprompt.types import FloatArray

_POWER = 0.75
"""A part of n words counts n ** 0.75 in the estimate; 0.5 and 1 ranked as well within 0.0007."""

Rows = Mapping[str, FloatArray]
"""Text -> its unit row of shape (D,)."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a prompt.

    Attributes:
        before: The prompt before it.
        old: Which part it takes away; None where it appends one.
        new: The part that it brings; None where it drops one.
    """

    before: Parts
    old: int | None
    new: Part | None

    @property
    def parts(self) -> Parts:
        """The prompt after it; made when it is asked for, as of most edits it never is."""
        brought = () if self.new is None else (self.new,)
        if self.old is None:
            return self.before + brought
        return self.before[: self.old] + brought + self.before[self.old + 1 :]


def pool(candidates: Sequence[str]) -> tuple[Part, ...]:
    """The distinct parts of the candidates, in their order."""
    words = dict.fromkeys(part.words for text in candidates for part in split(text))
    return tuple(Part(text) for text in words)


def edits(parts: Parts, available: Sequence[Part], limit: int) -> Iterator[Edit]:
    """Every drop, replacement and appending; none that is longer than ``limit`` words.

    A part that begins with a preposition replaces only such a part, so that sentences stay
    sentences. Nothing that is there is brought again.
    """
    present = {part.words for part in parts}
    absent = [part for part in available if part.words not in present]
    kinds = [(part.words, part.opens, Part(part.words, "").length) for part in absent]
    room = limit - length(parts)
    for i, old in enumerate(parts):
        if len(parts) > 1:
            yield Edit(parts, i, None)
        own, most = old.opens, room + Part(old.words, "").length
        for words, opens, words_long in kinds:
            if opens == own and words_long <= most:
                yield Edit(parts, i, Part(words, old.link))
    for part in absent:
        if part.length <= room:
            yield Edit(parts, None, part)


def estimates(
    parts: Parts, row: FloatArray, changes: Sequence[Edit], rows: Rows, nearness: Nearness
) -> FloatArray:
    """What the edits of a prompt are about worth, of shape (len(changes),), without encoding them.

    The encoder averages over tokens, so a prompt's row is about the sum of its parts' rows, longer
    parts counting more, and what this sum leaves unexplained stays as it is.

    Args:
        parts: The prompt.
        row: Its unit row, of shape (D,).
        changes: E edits of it.
        rows: The row of each part.
        nearness: Values rows.
    """
    own = np.stack([_weighted(part, rows) for part in parts])  # (P, D)
    summed = own.sum(axis=0)
    square = float(summed @ summed)
    scale = float(summed @ row) / square if square else 0.0
    brought = {edit.new.words: edit.new for edit in changes if edit.new is not None}
    number = {words: i for i, words in enumerate(brought)}
    nothing = np.zeros_like(row)
    new = np.stack([*(_weighted(part, rows) for part in brought.values()), nothing])
    old = np.concatenate([own, nothing[None]])
    gained = new[[-1 if edit.new is None else number[edit.new.words] for edit in changes]]
    lost = old[[-1 if edit.old is None else edit.old for edit in changes]]
    return nearness(unit(row + scale * (gained - lost)))


def _weighted(part: Part, rows: Rows) -> FloatArray:
    weighted: FloatArray = rows[part.words] * len(part.words.split()) ** _POWER
    return weighted
