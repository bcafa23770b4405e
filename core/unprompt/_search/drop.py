"""What each member contributes, and the blend without those that contribute nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from unprompt._scoring.estimate import Estimate, Result
from unprompt._scoring.intervals import Intervals
from unprompt._search.objective import GramObjective
from unprompt._search.polish import Bounds, polish
from unprompt.types import BoolArray, DoubleArray

_ROUNDING = 1e-9
"""A gain below this is rounding: a member of weight 0 leaves such differences behind."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredSplit:
    """The mean cosine of M members on one split, and what gives intervals of differences there.

    Attributes:
        objective: Gives the cosines of N images.
        intervals: Of means over these images.
        subsets: Name -> the images of a subset, of shape (N,), one or more.
    """

    objective: GramObjective
    intervals: Intervals
    subsets: Mapping[str, BoolArray] = field(default_factory=dict)

    def difference(self, weights: Sequence[float], others: Sequence[float]) -> Estimate:
        """Mean cosine under M weights minus that under M others, image by image."""
        return self.intervals.mean(self._differences(weights, others))

    def in_subsets(self, weights: Sequence[float], others: Sequence[float]) -> dict[str, Estimate]:
        """`difference` on each subset."""
        values = self._differences(weights, others)
        return {
            name: self.intervals.where(inside).mean(values[inside])
            for name, inside in self.subsets.items()
        }

    def _differences(self, weights: Sequence[float], others: Sequence[float]) -> DoubleArray:
        return self.objective.cosines(weights) - self.objective.cosines(others)


@dataclass(frozen=True, slots=True)
class WeightedMembers:
    """The M members of a blend; the weights are best those that `polish` found on the holdout."""

    names: Sequence[str]
    weights: Sequence[float]
    bounds: Bounds | None = None


class Contribution(Result):
    """What a blend gains by one of its members.

    Attributes:
        weight: The member's weight in the full blend.
        test: Mean cosine of the full blend minus that of the best blend of the others, on test.
        holdout: The same on the holdout, where both blends were fitted.
        flagged: Whether the holdout does not show a gain; False where it has too few groups for
            an interval, as nothing can be concluded then.
        subsets: ``test`` on each subset of the test images; the blends are the same.
    """

    weight: float
    test: Estimate
    holdout: Estimate
    flagged: bool
    subsets: Mapping[str, Estimate] = {}


class Reduced(NamedTuple):
    """M weights, fitted again, 0 for members that were dropped; these in the order they went."""

    weights: tuple[float, ...]
    dropped: tuple[str, ...]


def leave_one_out(
    members: WeightedMembers, holdout: ScoredSplit, test: ScoredSplit
) -> dict[str, Contribution]:
    """Compare the full blend with the others' for each member, whose weights are fitted again.

    A member is flagged by the holdout alone: where its interval there covers 0 or lies below.
    Whoever drops members by their test scores has fitted the blend to the test split, and what
    is then reported on it is too good. The gain on test is there to be read only.

    Returns:
        Contributions by name, in the order of the members; empty where there is but one.

    Raises:
        DataError: Weights that `polish` refuses.
    """
    all_members = range(len(members.names))
    return {
        members.names[index]: Contribution(
            weight=members.weights[index],
            test=test.difference(members.weights, refitted),
            holdout=gain,
            flagged=_shows_no_gain(gain),
            subsets=test.in_subsets(members.weights, refitted),
        )
        for index, refitted, gain in _left_out(members, all_members, members.weights, holdout)
    }


def drop_members(members: WeightedMembers, holdout: ScoredSplit) -> Reduced:
    """Drop members, the least useful first, until each one that is kept shows a gain.

    After each drop the weights are fitted again and all gains measured anew: two members that
    know the same are worth nothing beside each other, but one of them has to stay. Test has no
    say here.

    Returns:
        At least one weight is above 0. Where no member goes, the weights are those given.

    Raises:
        DataError: Weights that `polish` refuses.
    """
    kept = list(range(len(members.names)))
    weights, dropped = tuple(members.weights), list[str]()
    while candidates := [
        (gain.score, index, refitted)
        for index, refitted, gain in _left_out(members, kept, weights, holdout)
        if _shows_no_gain(gain)
    ]:
        _, index, weights = min(candidates)
        kept.remove(index)
        dropped.append(members.names[index])
    return Reduced(weights, tuple(dropped))


def _left_out(
    members: WeightedMembers, kept: Sequence[int], weights: Sequence[float], holdout: ScoredSplit
) -> Iterator[tuple[int, tuple[float, ...], Estimate]]:
    """Each of the kept members with M weights without it, and what the blend gains by it.

    The weights of the others are the best ones from what they have now. Nothing where only one
    member is kept.
    """
    for index in kept:
        others = [other for other in kept if other != index]
        if not others:
            return
        start = [weights[other] for other in others]
        if not any(start):
            start = [1.0] * len(others)  # the member that goes had all the weight
        bounds = None if members.bounds is None else [members.bounds[other] for other in others]
        fitted = polish(holdout.objective.subset(others), start, bounds=bounds).weights
        by_index = dict(zip(others, fitted, strict=True))
        refitted = tuple(by_index.get(other, 0.0) for other in range(len(weights)))
        yield index, refitted, holdout.difference(weights, refitted)


def _shows_no_gain(on_holdout: Estimate) -> bool:
    return on_holdout.ci95 is not None and on_holdout.low <= _ROUNDING
