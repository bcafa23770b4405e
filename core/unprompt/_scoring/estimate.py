"""A score with its 95 % interval, and the verdict on a difference of two scores."""

from __future__ import annotations

import math
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic_core import PydanticCustomError

FEW_GROUPS = 10
"""With fewer groups an interval is not trusted: its coverage was not measured to be 95 %."""


class Result(BaseModel):
    """The base of everything that a run writes as JSON: frozen, closed, and finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Estimate(Result):
    """A mean over images, or a difference of two, with its 95 % interval.

    Attributes:
        score: A mean cosine, a difference of two, or a share of the gap between floor and oracle.
        ci95: Lower and upper end of the interval; None where there are too few groups for one.
    """

    score: float
    ci95: tuple[float, float] | None

    @field_validator("ci95")
    @classmethod
    def _check_order(cls, ends: tuple[float, float] | None) -> tuple[float, float] | None:
        if ends is not None and ends[0] > ends[1]:
            raise PydanticCustomError("interval", "an interval's ends are in the wrong order")
        return ends

    @property
    def low(self) -> float:
        """Lower end of the interval; minus infinity without one, as nothing is excluded."""
        return -math.inf if self.ci95 is None else self.ci95[0]

    @property
    def high(self) -> float:
        """Upper end of the interval; infinity without one."""
        return math.inf if self.ci95 is None else self.ci95[1]

    @property
    def drawn(self) -> tuple[float, float]:
        """The interval's ends for a drawing: both at the score without an interval."""
        return (self.score, self.score) if self.ci95 is None else self.ci95

    def negated(self) -> Estimate:
        """The difference with its sign reversed."""
        ends = None if self.ci95 is None else (-self.ci95[1], -self.ci95[0])
        return Estimate(score=-self.score, ci95=ends)


class Verdict(StrEnum):
    """The conclusion from a paired difference."""

    BETTER = "better"
    WORSE = "worse"
    UNCLEAR = "no clear difference"
    TOO_FEW = "too few groups to tell"


def verdict(difference: Estimate, groups: int) -> Verdict:
    """Whether a difference is clear: its whole interval lies on one side of 0.

    Every table, plot and report uses this rule.

    Args:
        difference: The difference of two predictions on the same images.
        groups: The number of groups of near-duplicate prompts that the interval is made from.
    """
    if groups < FEW_GROUPS or difference.ci95 is None:
        return Verdict.TOO_FEW
    if difference.low > 0:
        return Verdict.BETTER
    return Verdict.WORSE if difference.high < 0 else Verdict.UNCLEAR


def student_quantile(freedom: float) -> float:
    """The 97.5 % quantile of Student's t: half of a 95 % interval, in standard errors."""
    from scipy.special import stdtrit  # scipy.stats loads slowly

    return float(stdtrit(freedom, 0.975))
