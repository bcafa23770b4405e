"""What each member contributes to the blend, and the blend without those that contribute nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from unprompt._scoring.estimate import Estimate, Result
from unprompt._scoring.intervals import Bootstrap
from unprompt._search.objective import GramObjective
from unprompt._search.polish import Bounds, polish

_ROUNDING = 1e-9
"""A gain below this is rounding: a member of weight 0 leaves such differences behind."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredSplit:
    """M members on one split.

    Attributes:
        objective: The split's mean cosine as a function of M weights.
        bootstrap: Gives the intervals of differences there.
    """

    objective: GramObjective
    bootstrap: Bootstrap

    def difference(self, weights: Sequence[float], others: Sequence[float]) -> Estimate:
        """Mean cosine under M weights minus that under M others, image by image."""
        return self.bootstrap.mean(self.objective.cosines(weights) - self.objective.cosines(others))


@dataclass(frozen=True, slots=True)
class WeightedMembers:
    """The members of a blend.

    Attributes:
        names: M names.
        weights: M weights, best those that `polish` found on the holdout.
        bounds: As in `polish`.
    """

    names: Sequence[str]
    weights: Sequence[float]
    bounds: Bounds | None = None


class Contribution(Result):
    """What a blend gains by one of its members.

    Attributes:
        weight: The member's weight in the full blend.
        test: Mean cosine of the full blend minus that of the best blend of the others, on test.
        holdout: The same on the holdout, where both blends were fitted.
        flagged: Whether the holdout does not show a gain.
    """

    weight: float
    test: Estimate
    holdout: Estimate
    flagged: bool


class Reduced(NamedTuple):
    """A blend without the members that it does not need.

    Attributes:
        weights: M weights, re-fitted on the holdout; 0 for members that were dropped.
        dropped: Their names, in the order in which they went.
    """

    weights: tuple[float, ...]
    dropped: tuple[str, ...]


def leave_one_out(
    members: WeightedMembers, holdout: ScoredSplit, test: ScoredSplit
) -> dict[str, Contribution]:
    """Compare the full blend with the others' for each member, whose weights are fitted again.

    A member is flagged by the holdout alone: where its interval there covers 0 or lies below.
    Whoever drops members by their test scores has fitted the blend to the test split, and what
    is then reported on it is too good. The gain on test is there to be read only.

    Args:
        members: The full blend.
        holdout: What weights are fitted on.
        test: The same members on test.

    Returns:
        Contributions by name, in the order of the members; empty where there is but one.

    Raises:
        DataError: Weights that `polish` refuses.
    """
    contributions: dict[str, Contribution] = {}
    count = len(members.names)
    for index, (name, weight) in enumerate(zip(members.names, members.weights, strict=True)):
        others = [other for other in range(count) if other != index]
        if not others:
            break
        refitted = _refit(holdout.objective, members.weights, others, members.bounds)
        on_holdout = holdout.difference(members.weights, refitted)
        on_test = test.difference(members.weights, refitted)
        contributions[name] = Contribution(
            weight=weight,
            test=on_test,
            holdout=on_holdout,
            flagged=_shows_no_gain(on_holdout),
        )
    return contributions


def drop_members(members: WeightedMembers, holdout: ScoredSplit) -> Reduced:
    """Drop members, the least useful first, until each one that is kept shows a gain.

    After each drop the weights are fitted again and all gains measured anew: two members that
    know the same are worth nothing beside each other, but one of them has to stay.

    Args:
        members: The full blend.
        holdout: What weights are fitted on and gains measured on; test has no say here.

    Returns:
        At least one weight is above 0. Where no member goes, the weights are those given.

    Raises:
        DataError: Weights that `polish` refuses.
    """
    kept = list(range(len(members.names)))
    weights, dropped = tuple(members.weights), list[str]()
    while len(kept) > 1:
        candidates: list[tuple[float, int, tuple[float, ...]]] = []
        for index in kept:
            others = [other for other in kept if other != index]
            refitted = _refit(holdout.objective, weights, others, members.bounds)
            gain = holdout.difference(weights, refitted)
            if _shows_no_gain(gain):
                candidates.append((gain.score, index, refitted))
        if not candidates:
            break
        _, index, weights = min(candidates)
        kept.remove(index)
        dropped.append(members.names[index])
    return Reduced(weights, tuple(dropped))


def _refit(
    holdout: GramObjective, weights: Sequence[float], keep: Sequence[int], bounds: Bounds | None
) -> tuple[float, ...]:
    """M weights: the best ones of some members, from what they have now, and 0 for the others."""
    start = [weights[index] for index in keep]
    if not any(start):
        start = [1.0] * len(keep)  # the member that goes had all the weight
    kept_bounds = None if bounds is None else [bounds[index] for index in keep]
    fitted = polish(holdout.subset(keep), start, bounds=kept_bounds).weights
    by_index = dict(zip(keep, fitted, strict=True))
    return tuple(by_index.get(index, 0.0) for index in range(len(weights)))


def _shows_no_gain(on_holdout: Estimate) -> bool:
    return on_holdout.low <= _ROUNDING
