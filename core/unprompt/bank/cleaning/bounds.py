"""Upper bounds of cosines from fewer numbers than rows have, in 16 bits where that is fast.

With an orthonormal basis P of some directions and Q of the others, the cosine of unit rows x and y
is ``<Px, Py> + <Qx, Qy>``. That is at most ``<Px, Py> + |Qx| |Qy|`` (Cauchy and Schwarz), the inner
product of the rows ``(Px, |Qx|)`` and ``(Py, |Qy|)``. Rounding those rows moves their product by no
more than the lengths of what was rounded off, which are measured. So no pair is missed, whatever
the basis; a good one only leaves fewer pairs to look at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

    from unprompt.types import DoubleArray

SLACK = 5e-5
"""More than adding up 400 products in float32 can lose where both rows have unit length: 400 times
its unit roundoff, 2**-24, is 2.4e-5."""

_SIZES = (63, 95, 127, 191, 255)
"""Directions to choose from; with the length of the rest they are a multiple of 32 columns."""

_PRODUCT, _PAIR = 1e-11, 2e-6
"""Seconds that a column of a pair costs in the product, and that a pair costs to be looked at: the
choice between the sizes depends on their ratio only, and no result depends on the choice."""

_SAMPLE = 2048
"""Rows that the basis is fitted on."""


@dataclass(frozen=True, slots=True, eq=False)
class Bounded:
    """Rows whose inner products bound cosines.

    Attributes:
        rows: A tensor of shape (n, P), bfloat16 or float32.
        lost: At least the length of what rounding took from any row.
    """

    rows: torch.Tensor
    lost: float


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """A basis, and the type of number to compute in.

    Attributes:
        basis: Orthonormal columns, of shape (D, k); None: rows stay as they are.
        half: Whether rows are rounded to bfloat16.
    """

    basis: DoubleArray | None
    half: bool

    def width(self, dim: int) -> int:
        """P for rows of ``dim`` numbers."""
        return dim if self.basis is None else self.basis.shape[1] + 1

    def of(self, rows: DoubleArray) -> Bounded:
        """The bounding rows of unit rows (n, D)."""
        import torch

        whole = torch.from_numpy(rows if self.basis is None else _augmented(rows, self.basis))
        rounded = whole.to(torch.bfloat16 if self.half else torch.float32)
        lost = (whole - rounded.double()).norm(dim=1).max().item() if len(rows) else 0.0
        return Bounded(rounded, lost)


def least(cosine: float, ours: float, theirs: float) -> float:
    """What two bounding rows give at least where the cosine is at least ``cosine``.

    Args:
        cosine: Of the unit rows.
        ours: What rounding took from one of the rows, see `Bounded.lost`.
        theirs: What it took from the other one.
    """
    return cosine - ours - theirs * (1 + ours) - SLACK


def fit_bounds(sample: DoubleArray, cosine: float, *, half: bool) -> Bounds:
    """The basis with which pairs at ``cosine`` are found fastest, as measured on a sample.

    Args:
        sample: Unit rows of shape (n, D); the first 2,048 are used.
        cosine: Pairs above are looked for.
        half: Whether products are computed in bfloat16.
    """
    rows = sample[:_SAMPLE]
    dim = rows.shape[1]
    _, vectors = np.linalg.eigh(rows.T @ rows)
    directions = vectors[:, ::-1]  # that with the most of the rows' lengths first
    above = cosine - (0.004 if half else 0.0)
    best, cheapest = None, dim * _PRODUCT
    for size in _SIZES:
        if size + 1 < dim:
            basis = np.ascontiguousarray(directions[:, :size])
            cost = (size + 1) * _PRODUCT + _PAIR * _share_above(_augmented(rows, basis), above)
            if cost < cheapest:
                best, cheapest = basis, cost
    return Bounds(best, half)


def _share_above(rows: DoubleArray, value: float) -> float:
    """The share of pairs of rows whose product is above a value."""
    products = rows @ rows.T
    pairs = products[np.triu_indices(len(rows), 1)]
    return float((pairs >= value).mean()) if len(pairs) else 0.0


def _augmented(rows: DoubleArray, basis: DoubleArray) -> DoubleArray:
    """``(Px, |Qx|)`` of unit rows x, of shape (n, k + 1), the last column rounded up."""
    inside: npt.NDArray[np.float64] = rows @ basis
    rest = np.sqrt(np.maximum(1 - np.einsum("nk,nk->n", inside, inside), 0) + 1e-12)
    return np.column_stack([inside, rest])
