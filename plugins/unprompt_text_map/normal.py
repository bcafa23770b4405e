"""Ridge regression from sums over rows: the rows themselves pass by in batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from unprompt import DataError, cosine, unit

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
Pairs = Iterable[tuple[FloatArray, FloatArray]]
"""Batches of keys (b, C) with their targets (b, D)."""

_BLOCK = 4096
"""Rows that are float64 at a time."""
TRIED = tuple(float(penalty) for penalty in np.geomspace(1e-4, 100, 13).round(6))
"""Penalties to choose from, in units of the mean variance: from almost none to almost a mean."""
UNKNOWN = 1.0
"""The penalty where there is nothing to choose it by."""


@dataclass(frozen=True, eq=False, slots=True)
class LinearMap:
    """``target = mean_target + (key - mean_key) @ weight``.

    Attributes:
        weight: float32 of shape (C, D).
        mean_key: float32 of shape (C,).
        mean_target: float32 of shape (D,).
        spread: Root of the keys' mean squared distance from their mean.
        penalty: What it was fitted with.
        cosine: Mean cosine on rows that were held out to choose the penalty; None: none were.
        rows: How many it was fitted to.
    """

    weight: FloatArray
    mean_key: FloatArray
    mean_target: FloatArray
    spread: float
    penalty: float
    cosine: float | None
    rows: int

    def predict(self, keys: FloatArray) -> FloatArray:
        """Unit rows (n, D) for keys (n, C)."""
        return unit(self.mean_target + (keys - self.mean_key) @ self.weight)


@dataclass(eq=False, slots=True)
class Sums:
    """What a ridge regression needs of its rows, in float64: of a size that they do not change.

    Attributes:
        count: Rows so far.
        keys: Their sum, of shape (C,).
        targets: That of their targets, of shape (D,).
        squares: ``X^T X``, of shape (C, C).
        products: ``X^T Y``, of shape (C, D).
    """

    keys: DoubleArray
    targets: DoubleArray
    squares: DoubleArray
    products: DoubleArray
    count: int = 0

    @classmethod
    def empty(cls, width: int, dim: int) -> Sums:
        """Of no rows."""
        return cls(np.zeros(width), np.zeros(dim), np.zeros((width, width)), np.zeros((width, dim)))

    def add(self, keys: npt.ArrayLike, targets: npt.ArrayLike) -> None:
        """Add rows: keys (b, C) with their targets (b, D), of any float type."""
        all_keys, all_targets = np.asarray(keys), np.asarray(targets)
        for start in range(0, len(all_keys), _BLOCK):
            x = all_keys[start : start + _BLOCK].astype(np.float64)
            y = all_targets[start : start + _BLOCK].astype(np.float64)
            self.keys += x.sum(axis=0)
            self.targets += y.sum(axis=0)
            self.squares += x.T @ x
            self.products += x.T @ y
            self.count += len(x)

    def solved(self, penalties: Sequence[float]) -> list[LinearMap]:
        """The map for each penalty, from one decomposition.

        Raises:
            DataError: There are fewer than two rows, or they are all the same.
        """
        if self.count < 2:
            raise DataError("a map needs at least two different prompts to be fitted to")
        mean_key, mean_target = self.keys / self.count, self.targets / self.count
        covariance = self.squares / self.count - np.outer(mean_key, mean_key)
        values, vectors = np.linalg.eigh(covariance)
        values = np.maximum(values, 0.0)  # below 0 is rounding
        variance = values.mean()
        if variance < 1e-12:
            raise DataError("a map needs at least two different prompts to be fitted to")
        rotated = vectors.T @ (self.products / self.count - np.outer(mean_key, mean_target))
        # Where keys do not vary, as all around fewer rows than dimensions, is nothing but rounding.
        rounding = np.finfo(np.float64).eps * len(values) * np.trace(self.squares) / self.count
        rotated[values <= rounding] = 0.0
        maps = []
        for penalty in penalties:
            weight = vectors @ (rotated / (values + penalty * variance)[:, None])
            maps.append(
                LinearMap(
                    weight.astype(np.float32),
                    mean_key.astype(np.float32),
                    mean_target.astype(np.float32),
                    float(np.sqrt(values.sum())),
                    penalty,
                    None,
                    self.count,
                )
            )
        return maps


@dataclass(eq=False)
class Fit:
    """A ridge regression whose rows pass by once; its penalty is chosen on some of them.

    Attributes:
        rows: How many will pass by.
        penalty: None: the best of `TRIED` on rows that are held out until it is chosen.
        held_out: How many are held out at most; never more than a fifth.
    """

    rows: int
    penalty: float | None
    held_out: int
    _sums: Sums | None = None
    _passed: int = 0
    _kept: list[tuple[FloatArray, FloatArray]] = field(default_factory=list)

    def add(self, keys: FloatArray, targets: FloatArray) -> None:
        """Add the next rows: keys (b, C) with their targets (b, D)."""
        if self._sums is None:
            self._sums = Sums.empty(keys.shape[1], targets.shape[1])
        numbers = np.arange(self._passed, self._passed + len(keys))
        self._passed += len(keys)
        out = numbers % self._step == self._step - 1 if self._step else np.zeros(len(keys), bool)
        self._sums.add(keys[~out], targets[~out])
        if out.any():
            self._kept.append((keys[out], targets[out]))

    def solved(self) -> LinearMap:
        """The map, fitted to all rows with the penalty.

        Raises:
            DataError: There are fewer than two different rows.
        """
        if self._sums is None:
            raise DataError("a map needs at least two different prompts to be fitted to")
        if not self._kept:
            return self._sums.solved([self.penalty or UNKNOWN])[0]
        keys, targets = (np.concatenate(part) for part in zip(*self._kept, strict=True))
        tried = self._sums.solved(TRIED)
        scores = [float(cosine(linear.predict(keys), targets).mean()) for linear in tried]
        best = int(np.argmax(scores))
        self._sums.add(keys, targets)
        (final,) = self._sums.solved([TRIED[best]])
        return LinearMap(
            final.weight, final.mean_key, final.mean_target, final.spread, final.penalty,
            scores[best], final.rows,
        )  # fmt: skip

    @property
    def _step(self) -> int:
        """Every how many-th row is held out; 0: none is."""
        count = 0 if self.penalty is not None else min(self.held_out, self.rows // 5)
        return -(-self.rows // count) if count else 0
