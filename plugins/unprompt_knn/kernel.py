"""The kernels: how much a neighbour counts, by its cosine or its rank.

A kernel gives each neighbour's share of the weighted sum, float64 of shape (n, K); those of
softmax, power and rank add up to 1, those of ridge to what the neighbours explain of the query. It
has them from

- ``cosines``: of each query with its neighbours, float32 of shape (n, K), K > 0, highest first;
  -inf leaves a neighbour out;
- ``rows``: the neighbours as numbers of rows of ``keys``, of shape (n, K);
- ``keys``: CLIP embeddings of prompts, unit rows of shape (B, C);
- ``times``: as how many equal neighbours each counts, float64 > 0 of shape (n, K); None: as one.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from unprompt import DataError, Model
from unprompt.artifacts import read_json

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


class KernelOptions(Model):
    """A kernel, whose one number can be chosen on images whose prompts are known.

    Attributes:
        number: The option's name.
        tried: The values to choose from.
    """

    number: ClassVar[str]
    tried: ClassVar[tuple[float, ...]]

    name: str
    fit: int = Field(
        default=0,
        ge=0,
        description="Train images on which the kernel's number (softmax's temperature, power's "
        "power, rank's decay, ridge's penalty) is chosen instead, each without prompts that nearly "
        "are its own; 0: it is as given.",
    )

    @abstractmethod
    def shares(
        self, cosines: FloatArray, rows: Numbers, keys: FloatArray, times: DoubleArray | None = None
    ) -> DoubleArray:
        """Each neighbour's share, of shape (n, K); of one that is left out, 0."""

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

    def choices(self) -> list[Self]:
        """This kernel with each number that a fit tries."""
        return [self.model_copy(update={self.number: value}) for value in self.tried]

    @classmethod
    def shares_of_each(
        cls,
        kernels: Sequence[Self],
        cosines: FloatArray,
        rows: Numbers,
        keys: FloatArray,
        times: DoubleArray | None,
    ) -> DoubleArray:
        """`shares` of S kernels of this class, of shape (S, n, K)."""
        return np.stack([kernel.shares(cosines, rows, keys, times) for kernel in kernels])


class Softmax(KernelOptions):
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

    def shares(
        self, cosines: FloatArray, rows: Numbers, keys: FloatArray, times: DoubleArray | None = None
    ) -> DoubleArray:
        """Shares >= 0 that add up to 1; a nearer neighbour never has less than a farther one."""
        wide = np.minimum(cosines.astype(np.float64), 1.0)  # above 1 is rounding
        raw = np.exp(self.temperature * (wide - wide.max(axis=1, keepdims=True)))
        return _normalised(raw, times)


class Power(KernelOptions):
    """``1 / (d^power + epsilon)`` with ``d = 1 - cosine``, each row divided by its sum.

    Source: the kernel of the 68th-place solution, plugins/kaggle-68th.md.
    """

    number = "power"
    # From almost flat to where `epsilon` is all that is left of near neighbours.
    tried = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)

    name: Literal["power"] = Field(
        default="power",
        description="power: 1 / (d^power + epsilon) with d = 1 - cosine, the kernel of the "
        "68th-place solution.",
    )
    power: float = Field(default=6.0, gt=0, allow_inf_nan=False, description="Of power.")
    epsilon: float = Field(
        default=1e-4, gt=0, allow_inf_nan=False, description="Of power: keeps shares finite."
    )

    def shares(
        self, cosines: FloatArray, rows: Numbers, keys: FloatArray, times: DoubleArray | None = None
    ) -> DoubleArray:
        """Shares >= 0 that add up to 1; a nearer neighbour never has less than a farther one."""
        wide = np.minimum(cosines.astype(np.float64), 1.0)  # above 1 is rounding
        with np.errstate(divide="ignore"):  # of a distance of 0
            distances = self.power * np.log(1.0 - wide)
        # By logarithms: no power is too high for a sum, and the nearest one counts as 1.
        costs = np.logaddexp(distances, math.log(self.epsilon))
        return _normalised(np.exp(costs.min(axis=1, keepdims=True) - costs), times)


class Rank(KernelOptions):
    """``1 / (offset + r)^decay`` for the r-th nearest neighbour, each row divided by its sum.

    It looks at the order of cosines alone, so that it means the same for towers whose cosines lie
    in different ranges.

    Source: with ``decay`` 1 the term of reciprocal rank fusion (Cormack, Clarke and Buettcher,
    SIGIR 2009), whose constant is 60.
    """

    number = "decay"
    # From almost flat to the nearest prompt almost alone, at the offset of 60.
    tried = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)

    name: Literal["rank"] = Field(
        default="rank",
        description="rank: 1 / (offset + r)^decay for the r-th nearest neighbour, whatever its "
        "cosine.",
    )
    decay: float = Field(
        default=1.0, gt=0, allow_inf_nan=False, description="Of rank; higher is sharper."
    )
    offset: float = Field(
        default=60.0,
        ge=0,
        allow_inf_nan=False,
        description="Of rank; a larger one makes the first ranks more alike.",
    )

    def shares(
        self, cosines: FloatArray, rows: Numbers, keys: FloatArray, times: DoubleArray | None = None
    ) -> DoubleArray:
        """Shares >= 0 that add up to 1; a nearer neighbour never has less than a farther one."""
        inside = np.isfinite(cosines)
        ranks = np.maximum(inside.cumsum(axis=1), 1)  # of those that are left, from 1
        raw = ((self.offset + 1) / (self.offset + ranks)) ** self.decay  # the first counts as 1
        return _normalised(np.where(inside, raw, 0.0), times)


def _normalised(raw: DoubleArray, times: DoubleArray | None) -> DoubleArray:
    counted = raw if times is None else raw * times
    shares: DoubleArray = counted / counted.sum(axis=1, keepdims=True)
    return shares
