"""The weight search: what it tries first, that it repeats, and what it leaves for a dashboard."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from unprompt import unit
from unprompt.config.models import SearchConfig
from unprompt.search.objective import GramObjective
from unprompt.search.study import METRIC, Found, search

if TYPE_CHECKING:
    import optuna

MEMBERS = ("knn", "clip", "noise")


def _objective(seed: int = 0) -> GramObjective:
    """Two members that know something different, and one that knows nothing."""
    rng = np.random.default_rng(seed)
    targets = unit(rng.normal(size=(200, 16)))
    members = [unit(targets + rng.normal(size=targets.shape) * s) for s in (0.3, 0.45)]
    return GramObjective.of(np.stack([*members, unit(rng.normal(size=targets.shape))]), targets)


def _search(folder: Path, trials: int = 20, seed: int = 0, name: str = "s") -> Found:
    config = SearchConfig(trials=trials, seed=seed)
    return search(_objective(), MEMBERS, config, folder / f"{name}.log", name)


def _load(path: Path, name: str) -> optuna.Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(path)))
    return optuna.load_study(study_name=name, storage=storage)


def test_equal_weights_and_each_member_alone_come_first(tmp_path: Path) -> None:
    found = _search(tmp_path)
    trials = _load(tmp_path / "s.log", "s").trials
    tried = [[trial.params[f"weight.{member}"] for member in MEMBERS] for trial in trials[:4]]
    assert tried == [[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    objective = _objective()
    for trial, weights in zip(trials, tried, strict=False):
        assert trial.value == pytest.approx(objective(weights))
        assert found.score >= objective(weights)


def test_what_was_found_scores_what_it_says(tmp_path: Path) -> None:
    found = _search(tmp_path)
    assert _objective()(found.weights) == pytest.approx(
        found.score, abs=1e-6
    )  # weights are rounded
    assert max(found.weights) == 1
    assert min(found.weights) >= 0
    assert found.trials == 20
    assert 0 <= found.best_trial < 20


def test_a_seed_repeats_its_weights_and_another_one_does_not(tmp_path: Path) -> None:
    first = _search(tmp_path, name="a")
    assert first == _search(tmp_path, name="b")
    assert first.weights != _search(tmp_path, name="c", seed=1).weights


def test_the_journal_opens_in_optuna_with_named_parameters_and_metric(tmp_path: Path) -> None:
    found = _search(tmp_path, name="my study")
    study = _load(tmp_path / "my study.log", "my study")
    assert study.direction.name == "MAXIMIZE"
    assert study.metric_names == [METRIC] == ["held-out cosine"]
    assert len(study.trials) == 20
    assert all(trial.state.name == "COMPLETE" for trial in study.trials)
    assert set(study.best_params) == {"weight.knn", "weight.clip", "weight.noise"}
    assert (study.best_trial.number, study.best_value) == (found.best_trial, found.score)


def test_the_optimum_of_two_members_is_found(tmp_path: Path) -> None:
    objective = GramObjective(_objective().gram[:, :2, :2], _objective().dots[:, :2])
    grid = [objective([1, w]) for w in np.linspace(0, 1, 1001)]
    grid += [objective([w, 1]) for w in np.linspace(0, 1, 1001)]
    config = SearchConfig(trials=60)
    found = search(objective, MEMBERS[:2], config, tmp_path / "s.log", "s")
    assert found.score == pytest.approx(max(grid), abs=1e-3)
    assert found.score > max(objective([1, 0]), objective([0, 1]))


def test_a_single_member_is_given_all_weight(tmp_path: Path) -> None:
    objective = GramObjective(_objective().gram[:, :1, :1], _objective().dots[:, :1])
    found = search(objective, ["knn"], SearchConfig(trials=3), tmp_path / "s.log", "s")
    assert found.weights == (1.0,)


def test_searching_warns_about_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _search(tmp_path, trials=4).trials == 4
