"""Other blends on data where the right answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from unprompt import cosine, unit
from unprompt._search.ablations import ABLATIONS, Stacked, per_dimension, ridge_stack
from unprompt._search.objective import GramObjective
from unprompt._search.polish import polish
from unprompt.types import DoubleArray, FloatArray

D = 16


def noise(rng: np.random.Generator, count: int) -> FloatArray:
    return unit(rng.normal(size=(count, D)))


def targets(rng: np.random.Generator, count: int) -> FloatArray:
    return unit(rng.normal(size=(count, D)) + 0.3)  # a mean of its own, as prompts have


def plain(holdout: Stacked, test: Stacked) -> DoubleArray:
    """What our own blend scores on test."""
    holdout, test = holdout.unit(), test.unit()
    weights = polish(
        GramObjective.from_predictions(holdout.members, holdout.targets),
        np.ones(len(holdout.members)),
    ).weights
    return GramObjective.from_predictions(test.members, test.targets).cosines(weights)


def own_groups(count: int) -> list[str]:
    return [f"g{i}" for i in range(count)]


def alike(seed: int, count: int, sizes: tuple[float, ...] = (0.7, 1.0)) -> Stacked:
    """Members with noise that has no structure: one weight each is all there is to find."""
    rng = np.random.default_rng(seed)
    y = targets(rng, count)
    return Stacked(np.stack([unit(y + size * noise(rng, count)) for size in sizes]), y)


def halves(seed: int, count: int) -> Stacked:
    """One member knows the first half of the dimensions, the other one the second half."""
    rng = np.random.default_rng(seed)
    y = targets(rng, count)
    first = np.arange(D) < D // 2
    members = [np.where(side, y, 0.3 * rng.normal(size=y.shape)) for side in (first, ~first)]
    return Stacked(np.stack([unit(member) for member in members]), y)


def turned(seed: int, count: int, rotation: FloatArray) -> Stacked:
    """One member that knows everything, but in a space of its own, and one of noise."""
    rng = np.random.default_rng(seed)
    y = targets(rng, count)
    return Stacked(np.stack([y @ rotation, noise(rng, count)]).astype(np.float32), y)


def rotation() -> FloatArray:
    return np.linalg.qr(np.random.default_rng(9).normal(size=(D, D)))[0].astype(np.float32)


@pytest.mark.parametrize("name", ABLATIONS)
def test_each_gives_a_cosine_per_test_image_and_repeats(name: str) -> None:
    holdout, test = alike(0, 200), alike(1, 50)
    cosines = ABLATIONS[name](holdout, test, own_groups(200))
    assert cosines.shape == (50,)
    assert cosines.dtype == np.float64
    assert (np.abs(cosines) <= 1).all()
    assert (cosines == ABLATIONS[name](holdout, test, own_groups(200))).all()
    better = test.members[1] * 0 + test.targets
    known = Stacked(np.stack([test.members[0], better]), test.targets)
    assert ABLATIONS[name](holdout, known, own_groups(200)).mean() > cosines.mean()


def test_weights_per_dimension_win_where_members_know_half_of_the_dimensions() -> None:
    holdout, test = halves(0, 400), halves(1, 200)
    cosines = per_dimension(holdout, test, own_groups(400))
    assert cosines.mean() > 0.97
    assert cosines.mean() > plain(holdout, test).mean() + 0.05


def test_weights_per_dimension_shrink_to_one_per_member_where_there_is_no_more_to_know() -> None:
    holdout, test = alike(0, 60, (0.7, 1.0, 1.0, 1.5)), alike(1, 4000, (0.7, 1.0, 1.0, 1.5))
    cosines = per_dimension(holdout, test, own_groups(60))
    assert cosines.mean() == pytest.approx(plain(holdout, test).mean(), abs=0.002)


def test_weights_per_dimension_are_chosen_across_groups() -> None:
    """Sixty images of three prompts: what fits within a prompt does not carry over."""
    few, test = alike(3, 3, (1.0, 1.0)), alike(1, 500, (1.0, 1.0))
    holdout = Stacked(np.repeat(few.members, 20, axis=1), np.repeat(few.targets, 20, axis=0))
    groups = [f"g{i // 20}" for i in range(60)]
    honest = per_dimension(holdout, test, groups).mean()
    assert honest > per_dimension(holdout, test, own_groups(60)).mean()


@pytest.mark.parametrize("count", [25, 600])  # fewer images than numbers, and more
def test_a_ridge_undoes_a_rotation(count: int) -> None:
    holdout, test = turned(0, count, rotation()), turned(1, 200, rotation())
    cosines = ridge_stack(holdout, test, own_groups(count))
    assert plain(holdout, test).mean() < 0.5
    assert cosines.mean() > (0.999 if count == 600 else 0.85)


def test_a_ridge_is_that_of_scikit_learn_with_the_penalty_of_grouped_cross_validation() -> None:
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GroupKFold

    holdout, test = alike(0, 120), alike(1, 40)
    groups = [f"g{i // 3}" for i in range(120)]
    x, x_test = (np.concatenate(list(split.members), axis=1) for split in (holdout, test))

    def fitted(rows: Any, power: int) -> Ridge:
        unit_penalty = len(x[rows]) * 2 / (2 * D)
        model = Ridge(alpha=10.0**power * unit_penalty, fit_intercept=False)
        return model.fit(x[rows].astype(np.float64), holdout.targets[rows].astype(np.float64))

    def cross_validated(power: int) -> float:
        folds = GroupKFold(5).split(x, groups=groups)
        values = [
            cosine(fitted(learned, power).predict(x[scored]), holdout.targets[scored])
            for learned, scored in folds
        ]
        return float(np.concatenate(values).mean())

    best = max(range(-3, 4), key=cross_validated)
    assert -3 < best < 3
    expected = cosine(fitted(slice(None), best).predict(x_test), test.targets)
    assert ridge_stack(holdout, test, groups) == pytest.approx(expected, abs=1e-5)


def test_both_normal_equations_give_one_map(monkeypatch: pytest.MonkeyPatch) -> None:
    from unprompt._search import ablations

    rows = alike(0, 2 * D).unit()
    (map_,) = ablations._linear_maps(rows, [0.1])
    repeated = Stacked(np.repeat(rows.members, 2, axis=1), np.repeat(rows.targets, 2, axis=0))
    less = rows.rows(np.arange(2 * D - 1))
    (dual,) = ablations._linear_maps(less, [0.1])
    (primal,) = ablations._linear_maps(
        Stacked(np.repeat(less.members, 2, axis=1), np.repeat(less.targets, 2, axis=0)), [0.1]
    )
    assert dual == pytest.approx(primal, abs=1e-10)
    (twice,) = ablations._linear_maps(repeated, [0.1])
    assert map_ == pytest.approx(twice, abs=1e-10)


@pytest.mark.parametrize("name", ABLATIONS)
def test_rows_that_nobody_knows_score_nothing_and_break_nothing(name: str) -> None:
    holdout, test = alike(0, 100), alike(1, 40)
    holdout.members[:, ::4] = 0
    test.members[:, :10] = 0
    cosines = ABLATIONS[name](holdout, test, own_groups(100))
    assert (cosines[:10] == 0).all()
    assert cosines[10:].mean() > 0.5
