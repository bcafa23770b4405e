"""The kernel that looks at the neighbours' own embeddings, not only at their cosines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, Self

import numpy as np
from pydantic import Field

from unprompt_knn.kernel import DoubleArray, FloatArray, KernelOptions, Numbers

_BLOCK = 4
"""Queries at a time, of each core: ridge holds K x K numbers for each, in the core's cache."""


class Ridge(KernelOptions):
    """The combination of neighbours that comes nearest to the query.

    For a query q and its neighbours' keys X (K, C), ``w = (X X^T + penalty I)^-1 X q``: a kernel
    ridge regression, linear, on the neighbours alone. Averages of neighbours lean to where the bank
    is dense; this follows the image between them. A neighbour that counts n times has its penalty
    divided by n, which is what n copies of it come to.

    Source: locally linear weights, Roweis and Saul 2000 (LLE), with Tikhonov's penalty.
    """

    number = "penalty"
    # From almost an interpolation to almost the sum of cosines.
    tried = tuple(float(p) for p in np.geomspace(0.01, 10, 7).round(3))

    name: Literal["ridge"] = Field(
        default="ridge",
        description="ridge: the combination of neighbours that comes nearest to the image's own "
        "embedding; neighbours that say the same divide their share, and what a neighbour has too "
        "much of another may take away.",
    )
    penalty: float = Field(
        default=0.1,
        gt=0,
        allow_inf_nan=False,
        description="Of ridge; a larger one spreads the shares over more neighbours.",
    )

    def shares(
        self, cosines: FloatArray, rows: Numbers, keys: FloatArray, times: DoubleArray | None = None
    ) -> DoubleArray:
        """Shares of either sign; of neighbours that are left out, 0."""
        shares: DoubleArray = self.shares_of_each([self], cosines, rows, keys, times)[0]
        return shares

    @classmethod
    def shares_of_each(
        cls,
        kernels: Sequence[Self],
        cosines: FloatArray,
        rows: Numbers,
        keys: FloatArray,
        times: DoubleArray | None,
    ) -> DoubleArray:
        """The neighbours' products, which cost most, are computed once for all penalties."""
        shares = np.empty((len(kernels), *rows.shape))
        divided = np.ones(rows.shape) if times is None else times

        def solve(block: slice) -> None:
            gram, wanted = _products(cosines[block], keys[rows[block]])
            for number, kernel in enumerate(kernels):
                penalties = kernel.penalty / divided[block]
                shares[number, block] = _solved(gram, wanted, penalties)

        _on_each_core(solve, len(rows))
        return shares


def _on_each_core(solve: Callable[[slice], None], count: int) -> None:
    """Solve all queries, block by block; several threads in one small system only wait."""
    import torch
    from threadpoolctl import threadpool_limits

    blocks = [slice(start, start + _BLOCK) for start in range(0, count, _BLOCK)]
    pool = ThreadPoolExecutor(torch.get_num_threads(), "ridge")
    with threadpool_limits(1, "blas"), pool:
        for solved in [pool.submit(solve, block) for block in blocks]:
            solved.result()


def _products(cosines: FloatArray, near: FloatArray) -> tuple[DoubleArray, DoubleArray]:
    """Of neighbours' keys (n, K, C) with each other, and with the query; 0 where left out."""
    inside = np.isfinite(cosines)
    gram = (near @ near.transpose(0, 2, 1)).astype(np.float64)
    gram *= inside[:, :, None] & inside[:, None, :]
    return gram, np.where(inside, cosines, 0.0).astype(np.float64)


def _solved(gram: DoubleArray, wanted: DoubleArray, penalties: DoubleArray) -> DoubleArray:
    from scipy.linalg import lapack

    penalised = gram.copy()
    diagonal = np.arange(gram.shape[1])
    penalised[:, diagonal, diagonal] += penalties  # keeps rows that are left out regular, too
    solved = np.empty_like(wanted)
    for number, system in enumerate(penalised):
        # By Cholesky's factors. LAPACK's matrices run down columns; this one is symmetric.
        _, solved[number], failed = lapack.dposv(system.T, wanted[number])
        if failed:  # a penalty below the rounding of the products, so that they are not regular
            rounding = len(system) * float(np.finfo(np.float32).eps)
            solved[number] = np.linalg.lstsq(system, wanted[number], rcond=rounding)[0]
    return solved
