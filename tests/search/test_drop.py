"""What members contribute, and who may be dropped for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from unprompt import unit
from unprompt._scoring.intervals import Intervals
from unprompt._search.drop import (
    ScoredSplit,
    WeightedMembers,
    drop_members,
    leave_one_out,
)
from unprompt._search.objective import GramObjective
from unprompt._search.polish import polish
from unprompt.types import FloatArray

NAMES = ("sharp", "dull", "deaf", "twin")


def made(seed: int, count: int = 400) -> tuple[FloatArray, FloatArray]:
    """Two members with noise of their own, one that is noise alone, and the first one's twin."""
    rng = np.random.default_rng(seed)
    targets = unit(rng.normal(size=(count, 24)))

    def noise() -> FloatArray:
        return unit(rng.normal(size=targets.shape))

    sharp, dull = unit(targets + 0.8 * noise()), unit(targets + 1.2 * noise())
    return np.stack([sharp, dull, noise(), unit(sharp + 0.001 * noise())]), targets


def split(objective: GramObjective, images_per_group: int = 2) -> ScoredSplit:
    groups = [f"g{i // images_per_group}" for i in range(len(objective.dots))]
    return ScoredSplit(objective, Intervals(groups))


def members(keep: Sequence[int], weights: Sequence[float]) -> WeightedMembers:
    return WeightedMembers([NAMES[index] for index in keep], weights)


def both(keep: Sequence[int]) -> tuple[GramObjective, GramObjective, WeightedMembers]:
    """Holdout and test of some members, and these with their best weights."""
    holdout, test = (GramObjective.from_predictions(*made(seed)).subset(keep) for seed in (0, 1))
    return holdout, test, members(keep, polish(holdout, np.ones(len(keep))).weights)


def test_a_subset_is_the_objective_of_those_members() -> None:
    predictions, targets = made(0)
    whole = GramObjective.from_predictions(predictions, targets)
    other = GramObjective.from_predictions(predictions[[3, 1]], targets)
    some = whole.subset([3, 1])
    assert some.member_count == 2
    assert some.cosines([0.2, 0.7]) == pytest.approx(other.cosines([0.2, 0.7]), abs=1e-14)
    assert some([0.2, 0.7]) == pytest.approx(whole([0, 0.7, 0, 0.2]), abs=1e-14)


def test_who_knows_something_of_its_own_has_a_gain_and_who_knows_nothing_is_flagged() -> None:
    holdout, test, blend = both((0, 1, 2))
    contributions = leave_one_out(blend, split(holdout), split(test))
    sharp, dull, deaf = contributions.values()
    assert list(contributions) == list(NAMES[:3])
    assert (sharp.flagged, dull.flagged, deaf.flagged) == (False, False, True)
    assert (sharp.weight, dull.weight, deaf.weight) == blend.weights
    for contribution in (sharp, dull):
        assert contribution.holdout.low > 0
        assert contribution.test.low > 0
    assert sharp.test.score > dull.test.score > abs(deaf.test.score)


def test_a_gain_is_the_full_blend_minus_the_best_blend_of_the_others() -> None:
    holdout, test, blend = both((0, 1))
    contributions = leave_one_out(blend, split(holdout), split(test))
    for index, gain in enumerate(contributions.values()):
        alone = [float(index == 1), float(index == 0)]
        assert gain.test.score == pytest.approx(test(blend.weights) - test(alone), abs=1e-12)
        on_holdout = holdout(blend.weights) - holdout(alone)
        assert gain.holdout.score == pytest.approx(on_holdout, abs=1e-12)


def test_the_others_are_fitted_again() -> None:
    holdout, test, blend = both((0, 1, 3))
    gain = leave_one_out(blend, split(holdout), split(test))["sharp"].holdout.score
    others = holdout.subset([1, 2])
    assert gain < holdout(blend.weights) - others(blend.weights[1:])
    best = polish(others, [1, 1]).score
    assert gain == pytest.approx(holdout(blend.weights) - best, abs=1e-9)


def test_the_flag_does_not_look_at_test() -> None:
    """On this test split the second member only does harm; the holdout cannot know."""
    holdout, _, blend = both((0, 1))
    predictions, targets = made(1)
    test = GramObjective.from_predictions(np.stack([targets, -predictions[1]]), targets)
    dull = leave_one_out(blend, split(holdout), split(test))["dull"]
    assert dull.test.high < 0
    assert not dull.flagged


def test_a_member_without_weight_is_flagged_in_spite_of_rounding() -> None:
    _, test, blend = both((0, 1))
    with_zero = members((0, 1, 2), (*blend.weights, 0.0))
    holdout, wider, _ = both((0, 1, 2))
    contributions = leave_one_out(with_zero, split(holdout), split(wider))
    assert contributions["deaf"].flagged
    assert contributions["deaf"].test.score == pytest.approx(0, abs=1e-6)
    assert not contributions["sharp"].flagged
    assert test(blend.weights) == pytest.approx(wider(with_zero.weights))


def test_all_the_weight_on_one_member_leaves_the_others_to_be_fitted_from_scratch() -> None:
    holdout, test, _ = both((0, 1, 3))
    blend = members((0, 1, 3), (1.0, 0.0, 0.0))
    contributions = leave_one_out(blend, split(holdout), split(test))
    best = polish(holdout.subset([1, 2]), [1, 1]).score
    gain = contributions["sharp"].holdout.score
    assert gain == pytest.approx(holdout([1, 0, 0]) - best, abs=1e-9)


def test_one_member_has_nothing_to_be_left_out_of() -> None:
    holdout, test, blend = both((0,))
    assert leave_one_out(blend, split(holdout), split(test)) == {}
    assert drop_members(blend, split(holdout)) == (blend.weights, ())


def test_intervals_are_over_groups() -> None:
    holdout, test, blend = both((0, 1))
    fine = leave_one_out(blend, split(holdout), split(test, images_per_group=40))["dull"]
    coarse = leave_one_out(blend, split(holdout, images_per_group=40), split(test))["dull"]
    assert fine.test.score == coarse.test.score
    assert fine.test != coarse.test
    assert fine.holdout != coarse.holdout


def test_noise_is_dropped_and_one_of_twins_but_not_both() -> None:
    holdout, _, blend = both((0, 1, 2, 3))
    weights, dropped = drop_members(blend, split(holdout))
    kept = [index for index, name in enumerate(NAMES) if name not in dropped]
    names = {NAMES[index] for index in kept}
    assert len(kept) == 2
    assert "dull" in names and names & {"sharp", "twin"}
    assert len(dropped) == 2 and "deaf" in dropped
    assert [index for index, weight in enumerate(weights) if weight] == kept
    best = polish(holdout.subset(kept), [1, 1])
    assert holdout(weights) == pytest.approx(best.score, abs=1e-9)
    assert [weights[index] for index in kept] == pytest.approx(best.weights, abs=1e-3)


def test_a_blend_that_needs_everybody_is_left_alone() -> None:
    holdout, _, blend = both((0, 1))
    assert drop_members(blend, split(holdout)) == (blend.weights, ())


def test_the_member_with_the_smallest_gain_goes_first() -> None:
    holdout, test, _ = both((0, 1, 2, 3))
    blend = members((0, 1, 2, 3), (1.0, 0.5, 0.4, 0.0))  # not polished: others get better
    contributions = leave_one_out(blend, split(holdout), split(test))
    flagged = {name: gain.holdout.score for name, gain in contributions.items() if gain.flagged}
    assert len(flagged) >= 2
    dropped = drop_members(blend, split(holdout)).dropped
    assert dropped[0] == min(flagged, key=lambda name: flagged[name])


def test_one_member_always_stays() -> None:
    rng = np.random.default_rng(0)
    deaf = np.stack([unit(rng.normal(size=(100, 24))) for _ in range(3)])
    holdout = GramObjective.from_predictions(deaf, unit(rng.normal(size=(100, 24))))
    weights, dropped = drop_members(members((0, 1, 2), (1, 1, 1)), split(holdout))
    assert sorted(weights) == [0.0, 0.0, 1.0]
    assert len(dropped) == 2


def test_bounds_go_with_their_members() -> None:
    holdout, test, _ = both((0, 1, 2))
    bounds = [(0.0, 1.0), (0.0, 0.1), (0.3, 0.4)]
    weights = polish(holdout, np.ones(3), bounds=bounds).weights
    blend = WeightedMembers(NAMES[:3], weights, bounds)
    contributions = leave_one_out(blend, split(holdout), split(test))
    others = polish(holdout.subset([1, 2]), weights[1:], bounds=bounds[1:])
    assert others.weights == pytest.approx((0.1, 0.3))
    gain = contributions["sharp"].holdout.score
    assert gain == pytest.approx(holdout(weights) - others.score, abs=1e-12)
    reduced = drop_members(blend, split(holdout))
    assert reduced.dropped == ("deaf",)
    assert reduced.weights[1] == pytest.approx(0.1)
