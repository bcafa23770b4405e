"""The kernels: how much a neighbour counts.

A kernel gives each neighbour's share of the weighted sum, float64 of shape (n, K); those of softmax
and power add up to 1, those of ridge to what the neighbours explain of the query. It has them from

- ``cosines``: of each query with its neighbours, float32 of shape (n, K), K > 0; -inf leaves a
  neighbour out;
- ``rows``: the neighbours as numbers of rows of ``keys``, of shape (n, K);
- ``keys``: the bank's CLIP embeddings, unit rows of shape (B, C).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from unprompt import DataError, Model, choice_by_name
from unprompt.artifacts import read_json

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

_BLOCK = 16
"""Queries at a time: ridge holds K x K numbers for each."""


class Fitted(Model):
    """A kernel whose one number can be chosen on images whose prompts are known.

    Attributes:
        number: The option's name.
        tried: The values to choose from.
    """

    number: ClassVar[str]
    tried: ClassVar[tuple[float, ...]]

    def fitted(self, path: Path) -> Self:
        """This kernel with the number in a file.

        Raises:
            DataError: The file is missing or damaged, or holds something else.
        """
        numbers: dict[str, float] = read_json(path, dict[str, float])
        try:
            if [*numbers] == [self.number]:
                return type(self).model_validate(self.model_dump() | numbers)
        except ValidationError:
            pass  # below 0 or not finite, as the line says
        raise DataError(f"{path}: should hold one `{self.number}` > 0, but holds {numbers}"[:400])

    name: str
    fit: int = Field(
        default=0,
        ge=0,
        description="Train images on which softmax's temperature or ridge's penalty is chosen "
        "instead, each without prompts that nearly are its own; 0: it is as given.",
    )


class Softmax(Fitted):
    """``exp(temperature * cosine)``, each row divided by its sum."""

    number = "temperature"
    # From almost flat to the nearest prompt alone, three steps to each doubling.
    tried = tuple(float(t) for t in np.geomspace(2, 512, 25).round(1))

    name: Literal["softmax"] = Field(
        default="softmax", description="softmax: exp(temperature * cosine)."
    )
    temperature: float = Field(
        default=20.0, gt=0, allow_inf_nan=False, description="Of softmax; higher is sharper."
    )

    def shares(self, cosines: FloatArray, rows: Numbers, keys: FloatArray) -> DoubleArray:
        """Shares >= 0 that add up to 1; a nearer neighbour never has less than a farther one."""
        wide = np.minimum(cosines.astype(np.float64), 1.0)  # above 1 is rounding
        return _normalised(np.exp(self.temperature * (wide - wide.max(axis=1, keepdims=True))))


class Power(Model):
    """``1 / (d^power + epsilon)`` with ``d = 1 - cosine``, each row divided by its sum.

    Source: the kernel of the 68th-place solution, plugins/kaggle-68th.md.
    """

    name: Literal["power"] = Field(
        default="power",
        description="power: 1 / (d^power + epsilon) with d = 1 - cosine, the kernel of the "
        "68th-place solution.",
    )
    power: float = Field(default=6.0, gt=0, allow_inf_nan=False, description="Of power.")
    epsilon: float = Field(
        default=1e-4, gt=0, allow_inf_nan=False, description="Of power: keeps shares finite."
    )

    def shares(self, cosines: FloatArray, rows: Numbers, keys: FloatArray) -> DoubleArray:
        """Shares >= 0 that add up to 1; a nearer neighbour never has less than a farther one."""
        wide = np.minimum(cosines.astype(np.float64), 1.0)  # above 1 is rounding
        return _normalised(1.0 / ((1.0 - wide) ** self.power + self.epsilon))


class Ridge(Fitted):
    """The combination of neighbours that comes nearest to the query.

    For a query q and its neighbours' keys X (K, C), ``w = (X X^T + penalty I)^-1 X q``: a kernel
    ridge regression, linear, on the neighbours alone. Averages of neighbours lean to where the bank
    is dense; this follows the image between them.

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

    def shares(self, cosines: FloatArray, rows: Numbers, keys: FloatArray) -> DoubleArray:
        """Shares of either sign; of neighbours that are left out, 0."""
        blocks = [slice(i, i + _BLOCK) for i in range(0, len(rows), _BLOCK)]
        parts = [self._solved(cosines[b], keys[rows[b]]) for b in blocks]
        return np.concatenate(parts) if parts else np.empty(rows.shape)

    def _solved(self, cosines: FloatArray, near: FloatArray) -> DoubleArray:
        """Shares for a block of queries; ``near`` are the neighbours' keys, (n, K, C)."""
        inside = np.isfinite(cosines)
        gram = (near @ near.transpose(0, 2, 1)).astype(np.float64)
        gram *= inside[:, :, None] & inside[:, None, :]
        diagonal = np.arange(gram.shape[1])
        gram[:, diagonal, diagonal] += self.penalty  # keeps rows that are left out regular, too
        wanted = np.where(inside, cosines, 0.0).astype(np.float64)
        solved = np.linalg.solve(gram, wanted[:, :, None])[:, :, 0]
        shares: DoubleArray = solved.astype(np.float64, copy=False)
        return shares


Kernel = Annotated[
    Softmax | Power | Ridge,
    choice_by_name("name", "softmax", {"softmax": Softmax, "power": Power, "ridge": Ridge}),
]
"""One of the kernels, as YAML names it."""


def _normalised(raw: DoubleArray) -> DoubleArray:
    shares: DoubleArray = raw / raw.sum(axis=1, keepdims=True)
    return shares
