"""What members are worth, and who may be dropped for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from unprompt import unit
from unprompt._search.drop import leave_one_out, prune, subset
from unprompt._search.objective import GramObjective
from unprompt._search.polish import polish
from unprompt.types import FloatArray

NAMES = ("sharp", "dull", "deaf", "twin")
SEEDED: dict[str, Any] = {"samples": 300, "seed": 0}


def made(seed: int, count: int = 400) -> tuple[FloatArray, FloatArray]:
    """Two members with noise of their own, one that is noise alone, and the first one's twin."""
    rng = np.random.default_rng(seed)
    targets = unit(rng.normal(size=(count, 24)))

    def noise() -> FloatArray:
        return unit(rng.normal(size=targets.shape))

    sharp, dull = unit(targets + 0.8 * noise()), unit(targets + 1.2 * noise())
    return np.stack([sharp, dull, noise(), unit(sharp + 0.001 * noise())]), targets


def groups(count: int = 400) -> list[str]:
    return [f"g{i // 2}" for i in range(count)]


def both(keep: tuple[int, ...]) -> tuple[GramObjective, GramObjective, tuple[float, ...]]:
    """Holdout, test and the best weights of some members."""
    holdout, test = (subset(GramObjective.of(*made(seed)), keep) for seed in (0, 1))
    return holdout, test, polish(holdout, np.ones(len(keep))).weights


def test_a_subset_is_the_objective_of_those_members() -> None:
    members, targets = made(0)
    some = subset(GramObjective.of(members, targets), [3, 1])
    other = GramObjective.of(members[[3, 1]], targets)
    assert some.members == 2
    assert some.cosines([0.2, 0.7]) == pytest.approx(other.cosines([0.2, 0.7]), abs=1e-14)
    whole = GramObjective.of(members, targets)
    assert some([0.2, 0.7]) == pytest.approx(whole([0, 0.7, 0, 0.2]), abs=1e-14)


def test_who_knows_something_of_its_own_has_a_gain_and_who_knows_nothing_is_flagged() -> None:
    holdout, test, weights = both((0, 1, 2))
    found = leave_one_out(holdout, test, weights, groups(), groups(), NAMES[:3], **SEEDED)
    assert list(found) == list(NAMES[:3])
    assert [gain.flagged for gain in found.values()] == [False, False, True]
    assert tuple(gain.weight for gain in found.values()) == weights
    for gain in (found["sharp"], found["dull"]):
        assert gain.holdout.low > 0
        assert gain.test.low > 0
    assert found["sharp"].test.mean > found["dull"].test.mean > abs(found["deaf"].test.mean)


def test_a_gain_is_the_full_blend_minus_the_best_blend_of_the_others() -> None:
    holdout, test, weights = both((0, 1))
    found = leave_one_out(holdout, test, weights, groups(), groups(), NAMES[:2], **SEEDED)
    for place, gain in enumerate(found.values()):
        alone = [float(place == 1), float(place == 0)]
        assert gain.test.mean == pytest.approx(test(weights) - test(alone), abs=1e-12)
        assert gain.holdout.mean == pytest.approx(holdout(weights) - holdout(alone), abs=1e-12)


def test_the_others_are_fitted_again() -> None:
    holdout, test, weights = both((0, 1, 3))
    found = leave_one_out(
        holdout, test, weights, groups(), groups(), ("sharp", "dull", "twin"), **SEEDED
    )
    kept = [weights[1], weights[2]]
    naive = holdout(weights) - subset(holdout, [1, 2])(kept)
    assert found["sharp"].holdout.mean < naive
    best = polish(subset(holdout, [1, 2]), [1, 1]).score
    assert found["sharp"].holdout.mean == pytest.approx(holdout(weights) - best, abs=1e-9)


def test_the_flag_does_not_look_at_test() -> None:
    """On this test split the second member only does harm; the holdout cannot know."""
    holdout, _, weights = both((0, 1))
    members, targets = made(1)
    test = GramObjective.of(np.stack([targets, -members[1]]), targets)
    found = leave_one_out(holdout, test, weights, groups(), groups(), NAMES[:2], **SEEDED)
    assert found["dull"].test.high < 0
    assert not found["dull"].flagged


def test_a_member_without_weight_is_flagged_in_spite_of_rounding() -> None:
    _, test, weights = both((0, 1))
    with_zero = (weights[0], weights[1], 0.0)
    holdout, wider = (subset(GramObjective.of(*made(seed)), (0, 1, 2)) for seed in (0, 1))
    found = leave_one_out(holdout, wider, with_zero, groups(), groups(), NAMES[:3], **SEEDED)
    assert found["deaf"].flagged
    assert found["deaf"].test.mean == pytest.approx(0, abs=1e-6)
    assert not found["sharp"].flagged
    assert test(weights) == pytest.approx(wider(with_zero))


def test_all_the_weight_on_one_member_leaves_the_others_to_be_fitted_from_scratch() -> None:
    holdout, test, _ = both((0, 1, 3))
    found = leave_one_out(
        holdout, test, (1.0, 0.0, 0.0), groups(), groups(), ("sharp", "dull", "twin"), **SEEDED
    )
    best = polish(subset(holdout, [1, 2]), [1, 1]).score
    assert found["sharp"].holdout.mean == pytest.approx(holdout([1, 0, 0]) - best, abs=1e-9)


def test_one_member_has_nothing_to_be_left_out_of() -> None:
    holdout, test, weights = both((0,))
    assert leave_one_out(holdout, test, weights, groups(), groups(), NAMES[:1], **SEEDED) == {}
    pruned = prune(holdout, weights, groups(), NAMES[:1], **SEEDED)
    assert pruned == (("sharp",), weights, ())


def test_intervals_are_over_groups() -> None:
    holdout, test, weights = both((0, 1))
    coarse = [f"g{i // 40}" for i in range(400)]
    one = leave_one_out(holdout, test, weights, groups(), coarse, NAMES[:2], **SEEDED)
    two = leave_one_out(holdout, test, weights, coarse, groups(), NAMES[:2], **SEEDED)
    assert one["dull"].test.mean == two["dull"].test.mean
    assert one["dull"].test != two["dull"].test
    assert one["dull"].holdout != two["dull"].holdout


def test_pruning_drops_noise_and_one_of_twins_but_not_both() -> None:
    holdout, _, weights = both((0, 1, 2, 3))
    kept, left, dropped = prune(holdout, weights, groups(), NAMES, **SEEDED)
    assert len(kept) == 2
    assert "dull" in kept
    assert {"sharp", "twin"} & set(kept)
    assert sorted((*kept, *dropped)) == sorted(NAMES)
    assert "deaf" in dropped
    places = [NAMES.index(name) for name in kept]
    best = polish(subset(holdout, places), [1, 1])
    assert subset(holdout, places)(left) == pytest.approx(best.score, abs=1e-9)
    assert left == pytest.approx(best.weights, abs=1e-3)


def test_pruning_leaves_a_blend_alone_that_needs_everybody() -> None:
    holdout, _, weights = both((0, 1))
    assert prune(holdout, weights, groups(), NAMES[:2], **SEEDED) == (NAMES[:2], weights, ())


def test_the_member_with_the_smallest_gain_goes_first() -> None:
    holdout, test, _ = both((0, 1, 2, 3))
    weights = (1.0, 0.5, 0.4, 0.0)  # not polished: whoever goes, the others get better
    gains = leave_one_out(holdout, test, weights, groups(), groups(), NAMES, **SEEDED)
    flagged = {name: gain.holdout.mean for name, gain in gains.items() if gain.flagged}
    assert len(flagged) >= 2
    dropped = prune(holdout, weights, groups(), NAMES, **SEEDED).dropped
    assert dropped[0] == min(flagged, key=lambda name: flagged[name])


def test_one_member_always_stays() -> None:
    rng = np.random.default_rng(0)
    deaf = np.stack([unit(rng.normal(size=(100, 24))) for _ in range(3)])
    holdout = GramObjective.of(deaf, unit(rng.normal(size=(100, 24))))
    kept, left, dropped = prune(holdout, (1, 1, 1), groups(100), NAMES[:3], **SEEDED)
    assert (len(kept), left, len(dropped)) == (1, (1.0,), 2)


def test_bounds_go_with_their_members() -> None:
    holdout, test, _ = both((0, 1, 2))
    bounds = [(0.0, 1.0), (0.0, 0.1), (0.3, 0.4)]
    weights = polish(holdout, np.ones(3), bounds=bounds).weights
    found = leave_one_out(
        holdout, test, weights, groups(), groups(), NAMES[:3], bounds=bounds, **SEEDED
    )
    rest = polish(subset(holdout, [1, 2]), weights[1:], bounds=bounds[1:])
    assert rest.weights == pytest.approx((0.1, 0.3))
    assert found["sharp"].holdout.mean == pytest.approx(holdout(weights) - rest.score, abs=1e-12)
    pruned = prune(holdout, weights, groups(), NAMES[:3], bounds=bounds, **SEEDED)
    assert pruned.kept == ("sharp", "dull")
    assert pruned.weights[1] == pytest.approx(0.1)
