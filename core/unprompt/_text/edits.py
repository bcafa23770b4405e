"""Edits of a prompt: every one that is allowed, and the most promising by a linear estimate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

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
        parts: The prompt after it.
        old: Which part it takes away; None where it appends one.
        new: The part that it brings; None where it drops one.
    """

    parts: Parts
    old: int | None
    new: Part | None


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
    room = limit - length(parts)
    for i, old in enumerate(parts):
        before, after = parts[:i], parts[i + 1 :]
        if len(parts) > 1:
            yield Edit(before + after, i, None)
        for part in absent:
            new = replace(part, link=old.link)
            if part.opens == old.opens and new.length - old.length <= room:
                yield Edit((*before, new, *after), i, new)
    for part in absent:
        if part.length <= room:
            yield Edit((*parts, part), None, part)


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
    nothing = np.zeros_like(row)
    brought = {
        edit.new.words: _weighted(edit.new, rows) for edit in changes if edit.new is not None
    }
    gained = [nothing if edit.new is None else brought[edit.new.words] for edit in changes]
    lost = [nothing if edit.old is None else own[edit.old] for edit in changes]
    return nearness(unit(row + scale * (np.stack(gained) - np.stack(lost))))


def _weighted(part: Part, rows: Rows) -> FloatArray:
    weighted: FloatArray = rows[part.words] * len(part.words.split()) ** _POWER
    return weighted
