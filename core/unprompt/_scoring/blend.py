"""Several members' predictions -> one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unprompt.embeddings import Embeddings, unit
from unprompt.errors import DataError
from unprompt.types import DoubleArray, FloatArray


def stack(members: Sequence[Embeddings], ids: Sequence[str]) -> FloatArray:
    """Members' unit rows in one order: float32 of shape (M, N, D).

    Raises:
        DataError: A member lacks an id or has one too many, or the widths differ.
    """
    if len({member.dim for member in members}) > 1:
        raise DataError(f"members predict in different spaces: {[m.dim for m in members]}")
    return np.stack([unit(member.align(ids).rows) for member in members])


def blend(members: Sequence[Embeddings], weights: Sequence[float]) -> Embeddings:
    """Weighted sum of unit rows, scaled back to unit length.

    Normalising each member first is worth +0.0036 on the public leaderboard (36th place);
    output lengths differ from member to member and mean nothing.

    Args:
        members: M predictions for the same N images, joined by id.
        weights: M numbers >= 0, not all 0; only their ratios matter.

    Returns:
        Unit rows in the order of the first member; a zero row where members cancel out.

    Raises:
        DataError: A weight is negative or not finite, all are 0, or the numbers disagree.
    """
    share = check_weights(weights, len(members))
    ids = members[0].ids
    summed = np.einsum("m,mnd->nd", share, stack(members, ids).astype(np.float64))  # (N, D)
    # Members that cancel leave rounding behind, which scaling would blow up to a direction.
    summed[np.linalg.norm(summed, axis=1) < 1e-6] = 0.0
    return Embeddings(ids, unit(summed))


def check_weights(weights: Sequence[float], count: int) -> DoubleArray:
    """The weights as shares that add up to 1, of shape (M,).

    Raises:
        DataError: See `blend`.
    """
    share = np.asarray(weights, dtype=np.float64)
    if len(share) != count or not count:
        raise DataError(f"{len(share)} weights for {count} members")
    if not np.isfinite(share).all() or (share < 0).any() or not share.any():
        raise DataError(f"weights should be at least 0 and not all 0, got {share.tolist()}")
    shares: DoubleArray = share / share.sum()
    return shares
