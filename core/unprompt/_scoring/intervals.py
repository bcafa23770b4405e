"""95 % intervals of means over images that come in groups.

Images of near-duplicate prompts are not independent, and their groups are few and of very unequal
sizes, where a bootstrap over groups covers 66 to 93 % instead of 95. So the standard error is the
jackknife's over groups, and the quantile is Student's with as many degrees of freedom as that
standard error has. Coverage at 10, 20 and 50 groups is simulated in the tests.

Sources: Bell and McCaffrey, Survey Methodology 28(2), 2002; Imbens and Kolesar, Review of Economics
and Statistics 98(4), 2016; Pustejovsky and Tipton, Journal of Business and Economic Statistics
36(4), 2018, whose CR3 is the jackknife up to a factor (G - 1) / G.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from unprompt._scoring.estimate import Estimate, student_quantile
from unprompt.errors import DataError
from unprompt.types import BoolArray, DoubleArray

LEAST_GROUPS = 3
"""With fewer groups there is no interval: two differ by chance in any way."""
_CORRELATION = 0.05
"""Correlation within groups that the degrees of freedom reckon with; 0 covered 92.8 % at worst."""


@dataclass(frozen=True, slots=True)
class _Spread:
    """How far a mean may be off: its standard error, with that one's degrees of freedom."""

    error: float
    freedom: float

    def around(self, score: float) -> Estimate:
        """The score with its interval."""
        half = student_quantile(self.freedom) * self.error if self.error else 0.0
        return Estimate(score=score, ci95=(score - half, score + half))


@dataclass(frozen=True, eq=False)
class Intervals:
    """Means over the images of a split, with 95 % intervals over its groups.

    Attributes:
        groups: The group of each of N images.
    """

    groups: Sequence[str]

    @property
    def group_count(self) -> int:
        """How many groups there are."""
        return len(self._sizes)

    def where(self, inside: BoolArray) -> Intervals:
        """Those of some of the images, which are ``inside`` (N,), over their own groups."""
        return Intervals([self.groups[i] for i in np.flatnonzero(inside).tolist()])

    def mean(self, values: DoubleArray) -> Estimate:
        """The mean of one number per image; no interval below `LEAST_GROUPS`.

        For paired intervals pass the difference of two predictions' cosines.

        Args:
            values: Of shape (N,), N > 0.

        Raises:
            DataError: There are no values.
        """
        if len(values) == 0:
            raise DataError("no images to score")
        score = float(np.mean(values))
        spread = self._spread(values - score)
        return Estimate(score=score, ci95=None) if spread is None else spread.around(score)

    def mean_cosine(self, values: DoubleArray) -> Estimate:
        """`mean` of cosines, with an interval that ends where cosines do, at -1 and 1.

        It holds the mean also where that is beyond: an oracle is an estimate, and may be.
        """
        estimate = self.mean(values)
        if estimate.ci95 is None:
            return estimate
        score, low, high = estimate.score, max(estimate.low, -1.0), min(estimate.high, 1.0)
        return Estimate(score=score, ci95=(min(low, score), max(high, score)))

    def gap_closed(
        self, values: DoubleArray, floor: DoubleArray, oracle: DoubleArray
    ) -> Estimate | None:
        """``(score - floor) / (oracle - floor)``: 0 is the floor's score, 1 is the oracle's.

        The interval is that of the ratio's linear approximation, and only there where the gap
        between floor and oracle is clear itself.

        Args:
            values: Cosines of the predictions, of shape (N,).
            floor: Cosines of the floor, for the same images.
            oracle: Cosines of the oracle, for the same images.

        Returns:
            None where the oracle is not above the floor: there is no gap.
        """
        gap = self.mean(oracle - floor)
        if gap.score <= 1e-9:
            return None
        share = float((values - floor).mean()) / gap.score
        spread = self._spread((values - floor - share * (oracle - floor)) / gap.score)
        if spread is None or gap.low <= 0:
            return Estimate(score=share, ci95=None)
        return spread.around(share)

    def minus(self, values: DoubleArray, other: Intervals, others: DoubleArray) -> Estimate:
        """The mean over these images minus that over other images, which share no group.

        Args:
            values: One number per image, of shape (N,).
            other: The groups of the other images.
            others: One number for each of them.

        Source: Welch, Biometrika 34, 1947, for the degrees of freedom.
        """
        score = float(np.mean(values) - np.mean(others))
        spreads = self._spread(values - values.mean()), other._spread(others - others.mean())
        known = [spread for spread in spreads if spread is not None]
        if len(known) < 2:
            return Estimate(score=score, ci95=None)
        variances = [spread.error**2 for spread in known]
        total = sum(variances)
        if total == 0:
            return Estimate(score=score, ci95=(score, score))
        shares = [variance / total for variance in variances]
        inverse = sum(s**2 / spread.freedom for s, spread in zip(shares, known, strict=True))
        return _Spread(float(np.sqrt(total)), 1 / inverse).around(score)

    @cached_property
    def _numbers(self) -> npt.NDArray[np.intp]:
        """The number of each image's group."""
        numbers: npt.NDArray[np.intp] = np.unique(np.asarray(self.groups), return_inverse=True)[1]
        return numbers

    @cached_property
    def _sizes(self) -> DoubleArray:
        """The images of each of G groups."""
        sizes: DoubleArray = np.bincount(self._numbers).astype(np.float64)
        return sizes

    @cached_property
    def _shares(self) -> DoubleArray:
        """What each group's squared sum of residuals adds to the variance, of shape (G,)."""
        count = len(self._sizes)
        without: DoubleArray = self._sizes.sum() - self._sizes
        shares: DoubleArray = (count - 1) / count / without**2
        return shares

    @cached_property
    def _freedom(self) -> float:
        """Degrees of freedom of the jackknife's variance, at most G - 1.

        The variance is a quadratic form of the groups' sums, ``t A t`` with
        ``A = (I - 1 s / n) D (I - s 1 / n)``; for normal sums with variances V its mean and
        variance are those of a chi-squared with ``tr(AV)^2 / tr(AVAV)`` degrees of freedom. A is
        a diagonal plus rank two, so that both traces are sums over groups.
        """
        sizes, shares = self._sizes, self._shares
        total = sizes.sum()
        variance = (1 - _CORRELATION) * sizes + _CORRELATION * sizes**2
        a = shares * sizes / total
        c = float((shares * sizes**2).sum()) / total**2
        diagonal = shares - 2 * a + c
        v, va, vaa = variance.sum(), (variance * a).sum(), (variance * a * a).sum()
        off = c * c * v * v + 2 * v * vaa + 2 * va * va - 4 * c * v * va
        squared = (variance**2 * (diagonal**2 - (c - 2 * a) ** 2)).sum() + off
        return float((variance * diagonal).sum() ** 2 / squared)

    def _spread(self, residuals: DoubleArray) -> _Spread | None:
        """Of the mean of numbers (N,) whose mean is 0; None where groups are too few."""
        if self.group_count < LEAST_GROUPS:
            return None
        sums = np.bincount(self._numbers, weights=residuals)
        return _Spread(float(np.sqrt((self._shares * sums**2).sum())), self._freedom)
