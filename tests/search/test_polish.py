"""The local search by exact gradients: right slopes, right optima, never worse than its start."""

from __future__ import annotations

import numpy as np
import pytest

from unprompt import DataError, unit
from unprompt._search.objective import GramObjective
from unprompt._search.polish import polish, value_and_gradient
from unprompt.embeddings import cosine
from unprompt.types import FloatArray

NOISE = (0.6, 0.8, 1.0, 1.3, 2.5)


def made(noise: tuple[float, ...] = NOISE, count: int = 300) -> tuple[FloatArray, FloatArray]:
    """Targets, and members that know them through noise of the given sizes."""
    rng = np.random.default_rng(5)
    targets = unit(rng.normal(size=(count, 24)))
    noisy = [targets + size * rng.normal(size=targets.shape) / np.sqrt(24) for size in noise]
    return np.stack([unit(rows) for rows in noisy]), targets


def objective(noise: tuple[float, ...] = NOISE) -> GramObjective:
    return GramObjective.from_predictions(*made(noise))


def test_the_value_is_the_objectives_and_the_slope_is_that_of_finite_differences() -> None:
    fixed = objective()
    rng = np.random.default_rng(0)
    for _ in range(10):
        weights, step = rng.uniform(0.1, 2, 5), 1e-5
        value, gradient = value_and_gradient(fixed, weights)
        assert value == pytest.approx(fixed(weights), abs=1e-14)
        sides = [fixed(weights + step * way) - fixed(weights - step * way) for way in np.eye(5)]
        assert gradient == pytest.approx(np.array(sides) / (2 * step), abs=1e-9)
        assert gradient @ weights == pytest.approx(0, abs=1e-14)  # only ratios matter


def test_the_slope_with_rows_that_nobody_knows() -> None:
    members, targets = made()
    members[:, ::3] = 0
    members[1, ::2] = 0
    fixed, weights, step = (
        GramObjective.from_predictions(members, targets),
        np.array([1, 2, 0.5, 1, 1.0]),
        1e-5,
    )
    value, gradient = value_and_gradient(fixed, weights)
    assert value == pytest.approx(fixed(weights), abs=1e-14)
    sides = [fixed(weights + step * way) - fixed(weights - step * way) for way in np.eye(5)]
    assert gradient == pytest.approx(np.array(sides) / (2 * step), abs=1e-9)


def test_all_starts_lead_to_one_optimum() -> None:
    fixed = objective()
    starts = [*np.eye(5), *np.random.default_rng(1).dirichlet(np.ones(5), 30)]
    optima = [polish(fixed, start) for start in starts]
    assert np.ptp([optimum.score for optimum in optima]) < 1e-10
    assert np.ptp([optimum.weights for optimum in optima], axis=0).max() < 1e-4
    assert all(optimum.score == fixed(optimum.weights) for optimum in optima)
    assert all(max(optimum.weights) == 1 and optimum.steps > 0 for optimum in optima)
    best = np.array(optima[0].weights)
    assert (np.diff(best) < 0).all()  # the less noise, the more weight


def test_nothing_can_be_gained_at_the_optimum() -> None:
    """Karush, Kuhn and Tucker: no slope where a weight is free, a downward one where it is 0."""
    members, targets = made()
    members[4] = unit(members[4] - 2 * targets)  # points away: weight 0
    fixed = GramObjective.from_predictions(members, targets)
    polished = polish(fixed, np.ones(5))
    weights = np.array(polished.weights)
    _, gradient = value_and_gradient(fixed, weights)
    assert weights[4] == 0
    assert (weights[:4] > 0).all()
    assert gradient[:4] == pytest.approx(np.zeros(4), abs=1e-6)
    assert gradient[4] < -0.01


def test_two_members_agree_with_a_fine_grid() -> None:
    fixed = objective((0.7, 1.2))
    shares = np.linspace(0, 1, 2001)
    grid = [fixed([share, 1 - share]) for share in shares]
    polished = polish(fixed, [1, 1])
    assert max(grid) <= polished.score < max(grid) + 1e-7
    share = polished.weights[0] / sum(polished.weights)
    assert share == pytest.approx(shares[int(np.argmax(grid))], abs=1e-3)


def test_it_is_the_cosine_of_the_blend() -> None:
    members, targets = made()
    polished = polish(GramObjective.from_predictions(members, targets), np.ones(5))
    blended = np.einsum("m,mnd->nd", np.array(polished.weights), members)
    assert polished.score == pytest.approx(cosine(blended, targets).mean(), abs=1e-9)


def test_it_never_ends_below_its_start() -> None:
    rng = np.random.default_rng(2)
    for seed in range(30):
        count = int(rng.integers(1, 5))
        members = np.stack([unit(rng.normal(size=(8, 6))) for _ in range(count)])
        members[:, rng.random(8) < 0.3] = 0
        fixed = GramObjective.from_predictions(members, unit(rng.normal(size=(8, 6))))
        start = np.random.default_rng(seed).random(count)
        assert polish(fixed, start).score >= fixed(start) - 1e-15  # start is scaled to 1


def test_a_single_member_stays_as_it_is() -> None:
    fixed = objective((1.0,))
    polished = polish(fixed, [0.3])
    assert polished.weights == (1.0,)
    assert polished.score == pytest.approx(fixed([1.0]), abs=1e-15)


def test_a_member_twice_shares_the_weight_that_it_would_have() -> None:
    members, targets = made((0.7, 1.0))
    once = polish(GramObjective.from_predictions(members, targets), [1, 1])
    twice = polish(GramObjective.from_predictions(members[[0, 1, 1]], targets), [1, 1, 1])
    assert twice.score == pytest.approx(once.score, abs=1e-10)
    first, second, third = twice.weights
    assert (second + third) / first == pytest.approx(once.weights[1] / once.weights[0], abs=1e-3)


def test_a_blend_that_points_away_is_better_than_no_blend() -> None:
    members, targets = made((0.5, 0.5))
    polished = polish(GramObjective.from_predictions(-members, targets), [1, 1])
    assert polished.score < 0
    assert max(polished.weights) == 1


def test_opposite_members_do_not_cancel_each_other() -> None:
    members, targets = made((0.8, 0.8))
    members[1] = -members[0]
    polished = polish(GramObjective.from_predictions(members, targets), [0.6, 0.5])
    assert polished.weights[1] < 0.999 * polished.weights[0]
    assert polished.score == pytest.approx(cosine(members[0], targets).mean(), abs=1e-9)


def test_a_second_member_helps_where_the_first_knows_nothing() -> None:
    """At weight 0 no slope says so."""
    members, targets = made((0.5, 1.5))
    members[0, :100] = 0
    fixed = GramObjective.from_predictions(members, targets)
    polished = polish(fixed, [1, 0])
    assert polished.weights[1] > 0
    assert polished.score == pytest.approx(polish(fixed, [1, 1]).score, abs=1e-4)
    assert polished.score > fixed([1, 0]) + 0.05


def test_weights_stay_in_their_bounds_and_are_not_scaled() -> None:
    fixed = objective()
    bounds = [(0.0, 0.2), (0.1, 0.5), (0.0, 1.0), (0.0, 1.0), (0.6, 0.9)]
    polished = polish(fixed, np.ones(5), bounds=bounds)
    assert all(low <= w <= high for w, (low, high) in zip(polished.weights, bounds, strict=True))
    assert polished.weights[0] == 0.2  # wants more
    assert polished.weights[4] == 0.6  # wants less
    lows, highs = zip(*bounds, strict=True)
    draws = np.random.default_rng(3).uniform(lows, highs, size=(3000, 5))
    assert polished.score >= max(fixed(draw) for draw in draws)
    assert polished.score < polish(fixed, np.ones(5)).score


def boxed(seed: int) -> tuple[GramObjective, list[tuple[float, float]], np.random.Generator]:
    """Members that know targets through noise that they share or not, or in part; and a box."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 9))
    targets = unit(rng.normal(size=(120, 12)))
    kind = rng.integers(3)
    scales = rng.uniform(0.3, 3, size=count) * 2 / np.sqrt(12)
    rows = np.stack([unit(targets + size * rng.normal(size=targets.shape)) for size in scales])
    if kind == 1:
        shared = rng.normal(size=targets.shape)
        own = [shared + 0.3 * rng.normal(size=targets.shape) for _ in scales]
        pairs = zip(scales, own, strict=True)
        rows = np.stack([unit(targets + size * noise) for size, noise in pairs])
    if kind == 2:
        for member in rows:
            member[rng.random(120) < rng.random() * 0.5] = 0
    lows = np.where(rng.random(count) < 0.5, 0, rng.uniform(0, 0.6, count))
    highs = lows + rng.uniform(0, 1, count) * (1 - lows)
    highs = np.maximum(highs, 0.001 if rng.random() < 0.3 else 0.1)
    bounds = list(zip(np.minimum(lows, highs).tolist(), highs.tolist(), strict=True))
    return GramObjective.from_predictions(rows.astype(np.float32), targets), bounds, rng


@pytest.mark.parametrize("seed", range(40))
def test_in_a_box_it_is_as_good_as_another_solver_and_nothing_can_be_gained(seed: int) -> None:
    """The reference is Nelder and Mead's simplex, from the best of 200 draws."""
    from scipy.optimize import minimize

    fixed, bounds, rng = boxed(seed)
    lows, highs = map(np.array, zip(*bounds, strict=True))
    draws = rng.uniform(lows, highs, size=(200, len(bounds)))
    best = max(draws, key=fixed)  # mostly in the basin of the highest optimum: there may be two
    done = minimize(lambda w: -fixed(w), best, bounds=bounds, method="Nelder-Mead")
    reference = max(fixed(best), fixed(np.clip(done.x, lows, highs)))
    polished = polish(fixed, best, bounds=bounds)
    assert polished.score >= reference - 1e-9
    weights = np.array(polished.weights)
    _, gradient = value_and_gradient(fixed, weights)
    gradient *= weights.sum()  # which makes it the same at every scale
    free = (weights > lows) & (weights < highs)
    assert np.abs(gradient[free]).max(initial=0) < 1e-5
    assert gradient[(weights == lows) & (lows < highs)].max(initial=0) < 1e-5
    assert gradient[(weights == highs) & (lows < highs)].min(initial=0) > -1e-5


@pytest.mark.parametrize("seed", [324, 556, 592, 1499])
def test_a_line_search_that_gives_up_is_gone_on_with(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Boxes of a scan of 2,500 in which L-BFGS-B alone ended up to 8e-3 below."""
    from unprompt._search import polish as module

    fixed, bounds, rng = boxed(seed)
    starts = [rng.uniform(*zip(*bounds, strict=True)) for _ in range(4)]
    scores = [polish(fixed, start, bounds=bounds).score for start in starts]
    assert np.ptp(scores) < 1e-9
    monkeypatch.setattr(module, "_FLAT", np.inf)  # content with what the first solver gives
    alone = [polish(fixed, start, bounds=bounds).score for start in starts]
    assert min(alone) < min(scores) - 1e-4


@pytest.mark.parametrize(
    ("weights", "line"),
    [
        ([0, 0], "weights should be at least 0 and not all 0, got [0.0, 0.0]"),
        ([1, -1], "weights should be at least 0 and not all 0, got [1.0, -1.0]"),
        ([1, np.nan], "weights should be at least 0 and not all 0, got [1.0, nan]"),
        ([1], "1 weights for 2 members"),
    ],
)
def test_weights_that_are_no_start_are_one_clear_line(weights: list[float], line: str) -> None:
    with pytest.raises(DataError) as caught:
        polish(objective((0.5, 1.0)), weights)
    assert caught.value.problems == (line,)
