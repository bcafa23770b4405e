"""What each member is worth to the blend, and the blend without those that are worth nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from unprompt._scoring.estimate import Estimate, Result
from unprompt._scoring.intervals import score
from unprompt._search.objective import GramObjective
from unprompt._search.polish import Bounds, polish
from unprompt.types import DoubleArray

_NOTHING = 1e-9
"""A gain below this is rounding: a member of weight 0 leaves such differences behind."""


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


class Pruned(NamedTuple):
    """The blend that is left.

    Attributes:
        kept: Names in their order.
        weights: Theirs, re-fitted on the holdout; as `polish` gives them.
        dropped: The other names, in the order in which they went.
    """

    kept: tuple[str, ...]
    weights: tuple[float, ...]
    dropped: tuple[str, ...]


def subset(objective: GramObjective, keep: Sequence[int]) -> GramObjective:
    """The objective over some members only, in the order of ``keep``."""
    return objective.subset(keep)


def leave_one_out(
    holdout: GramObjective,
    test: GramObjective,
    weights: Sequence[float],
    groups_holdout: Sequence[str],
    groups_test: Sequence[str],
    names: Sequence[str],
    *,
    samples: int,
    seed: int,
    bounds: Bounds | None = None,
) -> dict[str, Contribution]:
    """The gain by each member: the full blend against the others, whose weights are fitted again.

    A member is flagged by the holdout alone: where its interval there covers 0 or lies below.
    Whoever drops members by their test scores has fitted the blend to the test split, and what
    is then reported on it is too good. The gain on test is there to be read only.

    Args:
        holdout: What weights are fitted on; M members.
        test: The same members on test.
        weights: M weights, best those that `polish` found on the holdout.
        groups_holdout: The group of each holdout picture.
        groups_test: The group of each test picture.
        names: M names.
        samples: Bootstrap resamples behind each 95 % interval of the paired differences.
        seed: Of the bootstrap.
        bounds: As in `polish`.

    Returns:
        A gain by name, in the order of ``names``; empty where there is but one member.

    Raises:
        DataError: Weights that `polish` refuses.
    """
    if len(names) == 1:
        return {}
    gains: dict[str, Contribution] = {}
    for place, (name, weight) in enumerate(zip(names, weights, strict=True)):
        keep = _others(place, len(names))
        rest = _refit(holdout, weights, keep, bounds)
        held = _lost(holdout, weights, keep, rest)
        tested = _lost(test, weights, keep, rest)
        gain = score(held, groups_holdout, samples=samples, seed=seed)
        reported = score(tested, groups_test, samples=samples, seed=seed)
        gains[name] = Contribution(
            weight=weight, test=reported, holdout=gain, flagged=_flagged(gain)
        )
    return gains


def prune(
    holdout: GramObjective,
    weights: Sequence[float],
    groups: Sequence[str],
    names: Sequence[str],
    *,
    samples: int,
    seed: int,
    bounds: Bounds | None = None,
) -> Pruned:
    """Drop members, the least useful first, until each one that is left shows a gain.

    After each drop the weights are fitted again and all gains measured anew: two members that
    know the same are worth nothing beside each other, but one of them has to stay.

    Args:
        holdout: What weights are fitted on and gains measured on; test has no say here.
        weights: M weights, best those that `polish` found.
        groups: The group of each holdout picture.
        names: M names.
        samples: As in `leave_one_out`.
        seed: As in `leave_one_out`.
        bounds: As in `polish`.

    Returns:
        At least one name is kept. Where none goes, the weights are those given.

    Raises:
        DataError: Weights that `polish` refuses.
    """
    left = list(range(len(names)))
    now, dropped = tuple(weights), list[str]()
    while len(left) > 1:
        here, limits = holdout.subset(left), _at(bounds, left)
        found: list[tuple[float, int, tuple[float, ...]]] = []
        for place in range(len(left)):
            keep = _others(place, len(left))
            rest = _refit(here, now, keep, limits)
            gain = score(_lost(here, now, keep, rest), groups, samples=samples, seed=seed)
            if _flagged(gain):
                found.append((gain.score, place, rest))
        if not found:
            break
        _, place, now = min(found)
        dropped.append(names[left.pop(place)])
    return Pruned(tuple(names[i] for i in left), now, tuple(dropped))


def _others(place: int, count: int) -> list[int]:
    return [other for other in range(count) if other != place]


def _at(bounds: Bounds | None, keep: Sequence[int]) -> Bounds | None:
    return None if bounds is None else [bounds[i] for i in keep]


def _refit(
    holdout: GramObjective, weights: Sequence[float], keep: Sequence[int], bounds: Bounds | None
) -> tuple[float, ...]:
    """The best weights of some members, from what they have in the full blend."""
    start = [weights[i] for i in keep]
    if not any(start):
        start = [1.0] * len(keep)  # the member that goes had all the weight
    return polish(subset(holdout, keep), start, bounds=_at(bounds, keep)).weights


def _lost(
    objective: GramObjective,
    weights: Sequence[float],
    keep: Sequence[int],
    rest: Sequence[float],
) -> DoubleArray:
    """Each picture's cosine under all weights, minus that under ``rest``: of shape (N,)."""
    return objective.cosines(weights) - subset(objective, keep).cosines(rest)


def _flagged(holdout: Estimate) -> bool:
    return holdout.low <= _NOTHING
