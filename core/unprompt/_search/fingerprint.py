"""What trials of one study have to agree on, told apart where roundings differ."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from unprompt.embeddings import Embeddings
from unprompt.types import PlainData

PROJECTIONS = 8
"""Numbers that stand for one member's predictions."""
TOLERANCE = 1e-4
"""How far two numbers of a fingerprint may be apart. Other batch sizes and processors move them by
about 1e-7; one other prediction among 16,000 by about 1e-2."""


def sketch(embeddings: Embeddings) -> list[float]:
    """A few random projections of the rows, which `differences` compares within `TOLERANCE`.

    A hash would tell apart what another batch size or machine rounds otherwise, however coarsely
    its values were rounded first: some lie on an edge. A projection moves by about the root mean
    square of what the rows move (Johnson and Lindenstrauss 1984).
    """
    rows = embeddings.rows
    draw = np.random.default_rng(0)
    length = np.sqrt(max(1, len(rows)))
    return [
        float(np.vdot(draw.standard_normal(rows.shape), rows) / length) for _ in range(PROJECTIONS)
    ]


def differences(known: Mapping[str, PlainData], now: Mapping[str, PlainData]) -> list[str]:
    """The keys whose values differ by more than roundings; in a map, with its name in front."""
    changed: list[str] = []
    for key in sorted({*known, *now}):
        before, after = known.get(key), now.get(key)
        if _same(before, after):
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            changed += [f"{key} of {name}" for name in differences(before, after)]
        else:
            changed.append(key)
    return changed


def _same(before: PlainData, after: PlainData) -> bool:
    """Equal, or lists of numbers that are as near as roundings leave them."""
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return all(_near(a, b) for a, b in zip(before, after, strict=True))
    return bool(before == after)


def _near(a: PlainData, b: PlainData) -> bool:
    """Numbers within `TOLERANCE`; anything else only where it is equal."""
    if isinstance(a, int | float) and isinstance(b, int | float):
        return abs(a - b) <= TOLERANCE
    return bool(a == b)
