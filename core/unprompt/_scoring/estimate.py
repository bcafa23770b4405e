"""A number with its 95 % interval, and what the interval allows to conclude."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

FEW_GROUPS = 10
"""With fewer groups a bootstrap interval is far too narrow to conclude anything from."""


class Result(BaseModel):
    """The base of everything that a run writes as JSON: frozen, closed, and finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Estimate(Result):
    """A mean over images, or a difference of two, with its 95 % bootstrap interval.

    Attributes:
        score: A mean cosine, a difference of two, or a share of the gap.
        ci95: Lower and upper end of the interval.
    """

    score: float
    ci95: tuple[float, float]

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.ci95[0]

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.ci95[1]

    def negated(self) -> Estimate:
        """The same difference, taken the other way round."""
        return Estimate(score=-self.score, ci95=(-self.high, -self.low))


class Verdict(StrEnum):
    """What may be said of a paired difference."""

    BETTER = "better"
    WORSE = "worse"
    UNCLEAR = "no clear difference"
    TOO_FEW = "too few groups to tell"


def verdict(difference: Estimate, groups: int) -> Verdict:
    """The one rule for every table, plot and page: the whole interval lies on one side of 0.

    Args:
        difference: Of two predictions on the same images.
        groups: Groups of near-duplicate prompts behind the interval.
    """
    if groups < FEW_GROUPS:
        return Verdict.TOO_FEW
    if difference.low > 0:
        return Verdict.BETTER
    return Verdict.WORSE if difference.high < 0 else Verdict.UNCLEAR
