"""How much a neighbour counts."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from unprompt import Model

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]


class KernelOptions(Model):
    """What neighbours count, from their CLIP embeddings and the picture's."""

    name: Literal["softmax", "power", "ridge"] = Field(
        default="softmax",
        description="softmax: exp(temperature * cosine). power: 1 / (d^power + epsilon) with "
        "d = 1 - cosine, the 68th place's kernel. ridge: the combination of neighbours that comes "
        "nearest to the picture's own embedding; neighbours that say the same share their weight, "
        "and what a neighbour has too much of another may take away.",
    )
    temperature: float = Field(
        default=20.0, gt=0, allow_inf_nan=False, description="Of softmax; higher is sharper."
    )
    fit: int = Field(
        default=0,
        ge=0,
        description="Train pictures on which softmax's temperature or ridge's penalty is chosen "
        "instead, each without prompts that nearly are its own; 0: it is as given.",
    )
    power: float = Field(default=6.0, gt=0, allow_inf_nan=False, description="Of power.")
    epsilon: float = Field(
        default=1e-4, gt=0, allow_inf_nan=False, description="Of power: keeps weights finite."
    )
    penalty: float = Field(
        default=0.1,
        gt=0,
        allow_inf_nan=False,
        description="Of ridge; a larger one spreads the weight over more neighbours.",
    )

    @model_validator(mode="after")
    def _check(self) -> KernelOptions:
        if self.fit and self.name == "power":
            raise PydanticCustomError("kernel", "`fit` belongs to the kernels softmax and ridge")
        return self


def weights(cosines: FloatArray, options: KernelOptions) -> DoubleArray:
    """Each neighbour's share of the weighted sum, by softmax or power.

    Args:
        cosines: Of shape (n, K), K > 0.
        options: Which kernel; not ridge, which needs more than cosines: see `ridge_weights`.

    Returns:
        float64 of shape (n, K), >= 0, each row adding up to 1. A nearer neighbour never weighs
        less than a farther one; cosines above 1 by rounding count as 1.

    Source: the power kernel is the seed solution's, DESIGN section 7.
    """
    wide = np.minimum(cosines.astype(np.float64), 1.0)
    if options.name == "softmax":
        raw = np.exp(options.temperature * (wide - wide.max(axis=1, keepdims=True)))
    else:
        raw = 1.0 / ((1.0 - wide) ** options.power + options.epsilon)
    shares: DoubleArray = raw / raw.sum(axis=1, keepdims=True)
    return shares


def ridge_weights(cosines: FloatArray, keys: FloatArray, penalty: float) -> DoubleArray:
    """Each neighbour's share in the combination that comes nearest to the query.

    For a query q and its neighbours' keys X (K, C), ``w = (X X^T + penalty I)^-1 X q``: a kernel
    ridge regression, linear, on the neighbours alone. Averages of neighbours lean to where the
    bank is dense; this follows the picture between them.

    Args:
        cosines: X q of each query, of shape (n, K), K > 0; -inf leaves a neighbour out.
        keys: Unit rows of shape (n, K, C).
        penalty: > 0.

    Returns:
        float64 of shape (n, K); magnitudes of a row add up to 1, those left out are 0.

    Source: locally linear weights, Roweis and Saul 2000 (LLE), with Tikhonov's penalty.
    """
    inside = np.isfinite(cosines)
    gram = (keys @ keys.transpose(0, 2, 1)).astype(np.float64)
    gram *= inside[:, :, None] & inside[:, None, :]
    diagonal = np.arange(gram.shape[1])
    gram[:, diagonal, diagonal] += penalty  # keeps rows that are left out regular, too
    wanted = np.where(inside, cosines, 0.0).astype(np.float64)
    raw = np.linalg.solve(gram, wanted[:, :, None])[:, :, 0]
    shares: DoubleArray = raw / np.maximum(np.abs(raw).sum(axis=1, keepdims=True), 1e-300)
    return shares
