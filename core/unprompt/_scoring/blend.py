"""Blend the predictions of several members into one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unprompt.embeddings import Embeddings, unit
from unprompt.errors import DataError
from unprompt.types import DoubleArray, FloatArray

CANCELLED = 1e-6
"""A blend shorter than this share of the weights behind it is what rounding left of them."""


def stack(members: Sequence[Embeddings], ids: Sequence[str]) -> FloatArray:
    """Members' unit rows in the order of ``ids``: float32 of shape (M, N, D).

    Raises:
        DataError: A member lacks an id or has another one, or the members' D differ.
    """
    if len({member.dim for member in members}) > 1:
        raise DataError(f"members predict in different spaces: {[m.dim for m in members]}")
    return np.stack([unit(member.align(ids).rows) for member in members])


def blend(members: Sequence[Embeddings], weights: Sequence[float]) -> Embeddings:
    """Weighted sum of unit rows, scaled back to unit length.

    Each member is normalised first, because the lengths of outputs differ between members and
    have no meaning; the 36th-place solution gained +0.0036 on the public leaderboard by it. A
    member that has no answer for an image, a zero row, leaves it to the others: their weights
    blend it, as if the member were not there.

    Args:
        members: M predictions for the same N images, in any order.
        weights: M numbers, at least 0 and not all 0; only their ratios matter.

    Returns:
        Unit rows in the order of the first member; a zero row where no member of a weight above 0
        answered, or where members cancel out.

    Raises:
        DataError: A weight is negative or not finite, all are 0, or there are not M weights.
    """
    shares = check_weights(weights, len(members))
    ids = members[0].ids
    rows = stack(members, ids)
    summed = np.einsum("m,mnd->nd", shares, rows.astype(np.float64))  # (N, D)
    # Where members cancel out, only rounding errors are left, which have no direction: measured by
    # the weights of those who answered, which may be small ones.
    answering = shares @ rows.any(axis=2)  # (N,)
    summed[np.linalg.norm(summed, axis=1) < CANCELLED * answering] = 0.0
    return Embeddings(ids, unit(summed))


def check_weights(weights: Sequence[float], count: int) -> DoubleArray:
    """The weights as shares that add up to 1, of shape (M,).

    Raises:
        DataError: See `blend`.
    """
    values = np.asarray(weights, dtype=np.float64)
    if len(values) != count or not count:
        raise DataError(f"{len(values)} weights for {count} members")
    if not np.isfinite(values).all() or (values < 0).any() or not values.any():
        raise DataError(f"weights should be at least 0 and not all 0, got {values.tolist()}")
    # By a power of two, which changes no digit: the sum of large ones would be infinite.
    scaled = np.ldexp(values, -int(np.frexp(values.max())[1]))
    shares: DoubleArray = scaled / scaled.sum()
    return shares
