"""The study: what it tries first, that it repeats, continues, and stays with its data."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from unprompt import unit
from unprompt._search.engine import SearchResult, search
from unprompt._search.objective import GramObjective
from unprompt._search.polish import polish
from unprompt._search.problem import Problem, Variants
from unprompt._search.storages import open_storage
from unprompt._search.study import METRIC
from unprompt.errors import ConfigError, DataError

from .conftest import MEMBERS, make_intervals, make_objective, make_problem

if TYPE_CHECKING:
    import optuna

    from unprompt.types import Json

FINGERPRINT: dict[str, Json] = {"split": "s", "predictions": {"knn": "a", "clip": "b"}}
ENSEMBLE = (0.4, 0.2, 0.1)


def run(
    folder: Path, name: str = "s", problem: Problem | None = None, **config: object
) -> SearchResult:
    problem = problem or make_problem(**({"trials": 20} | config))
    intervals = make_intervals(len(problem.objective.dots))
    return search(problem, ENSEMBLE, FINGERPRINT, intervals, folder / f"{name}.log", name)[0]


def load(path: Path, name: str = "s") -> optuna.Study:
    import optuna

    return optuna.load_study(study_name=name, storage=open_storage(path))


def test_equal_weights_each_member_and_the_ensemble_come_first(tmp_path: Path) -> None:
    result = run(tmp_path)
    trials = load(tmp_path / "s.log").trials
    tried = [[trial.params[f"weight.{member}"] for member in MEMBERS] for trial in trials[:5]]
    assert tried == [[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0.5, 0.25]]
    objective = make_objective()
    for trial, weights in zip(trials, tried, strict=False):
        assert trial.value == pytest.approx(objective(weights))
        assert result.summary.best_value >= objective(weights)


def test_what_comes_first_can_be_chosen(tmp_path: Path) -> None:
    run(tmp_path, enqueue=["ensemble"])
    first = load(tmp_path / "s.log").trials[0]
    assert [first.params[f"weight.{member}"] for member in MEMBERS] == [1, 0.5, 0.25]
    assert "fixed_params" not in load(tmp_path / "s.log").trials[1].system_attrs


def test_the_blend_is_the_polished_best_trial(tmp_path: Path) -> None:
    result = run(tmp_path)
    objective = make_objective()
    polish = result.summary.polish
    assert objective(result.weights) == pytest.approx(polish.score, abs=1e-6)  # they are rounded
    assert objective(result.searched) == pytest.approx(result.summary.best_value, abs=1e-6)
    assert polish.gain == pytest.approx(polish.score - result.summary.best_value)
    assert polish.gain >= 0
    assert max(result.weights) == 1
    assert min(result.weights) >= 0
    assert result.summary.trials == 20
    best = result.summary.best_value
    assert result.history[result.summary.best_trial] == best == max(result.history)


def test_weights_beside_one_that_abstains_keep_their_ratio(tmp_path: Path) -> None:
    """One member is right where it answers: the others' weights only count among themselves."""
    rng = np.random.default_rng(3)
    targets = unit(rng.normal(size=(200, 16)))
    right = targets.copy()
    right[::2] = 0
    others = [unit(targets + rng.normal(size=targets.shape) * s) for s in (0.3, 0.45)]
    objective = GramObjective.from_predictions(np.stack([right, *others]), targets)
    problem = Problem(
        objective, MEMBERS, (Variants({}),) * 3, make_problem(trials=20, sampler="random").config
    )
    result = run(tmp_path, problem=problem)
    _, first, second = result.weights
    assert result.weights[0] == 1 and 0 < second < first < 1e-5
    there = GramObjective(objective.gram[:, ::2], objective.dots[::2])  # it abstains
    alone = polish(there.subset([1, 2]), [1, 1])
    assert second / first == pytest.approx(alone.weights[1] / alone.weights[0], rel=0.02)
    assert objective(result.weights) == pytest.approx(result.summary.polish.score, abs=1e-6)


def test_the_summary_is_the_search_block_of_the_scores(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/s.db"
    block = run(tmp_path, storage=storage, drop_members=True).summary.model_dump(mode="json")
    keys = [
        "trials",
        "best_trial",
        "best_value",
        "sampler",
        "study",
        "storage",
        "polish",
        "dropped",
    ]
    assert list(block) == keys
    assert list(block["polish"]) == ["score", "gain", "distance"]
    assert (block["trials"], block["sampler"], block["study"]) == (20, "tpe", "s")
    assert (block["storage"], block["dropped"]) == (storage, ["noise"])
    assert json.loads(json.dumps(block)) == block


def test_a_seed_repeats_its_weights_and_another_one_does_not(tmp_path: Path) -> None:
    first = run(tmp_path, "a")
    assert first.searched == run(tmp_path, "b").searched
    assert first.searched != run(tmp_path, "c", seed=1).searched


def test_a_continued_study_draws_what_it_has_not_drawn(tmp_path: Path) -> None:
    run(tmp_path, sampler="random", trials=20)
    run(tmp_path, sampler="random", trials=40)
    drawn = {tuple(trial.params.values()) for trial in load(tmp_path / "s.log").trials}
    assert len(drawn) == 40


@pytest.mark.parametrize("sampler", ["random", "tpe", "qmc"])
def test_any_seed_can_be_searched_with(sampler: str, tmp_path: Path) -> None:
    assert run(tmp_path, sampler=sampler, seed=99_999_999_999, trials=8).summary.trials == 8


def test_the_journal_opens_in_optuna_with_named_parameters_and_metric(tmp_path: Path) -> None:
    result = run(tmp_path, "my study")
    study = load(tmp_path / "my study.log", "my study")
    assert study.direction.name == "MAXIMIZE"
    assert study.metric_names == [METRIC] == ["held-out cosine"]
    assert len(study.trials) == 20
    assert all(trial.state.name == "COMPLETE" for trial in study.trials)
    assert set(study.best_params) == {"weight.knn", "weight.clip", "weight.noise"}
    assert study.best_trial.number == result.summary.best_trial
    assert study.best_value == result.summary.best_value
    assert set(result.importances) == set(study.best_params)
    assert sum(result.importances.values()) == pytest.approx(1)


def test_the_optimum_of_two_members_is_found(tmp_path: Path) -> None:
    objective = make_objective().subset([0, 1])
    grid = [objective([1, w]) for w in np.linspace(0, 1, 1001)]
    grid += [objective([w, 1]) for w in np.linspace(0, 1, 1001)]
    config = make_problem(trials=60, enqueue=["equal", "members"]).config
    problem = Problem(objective, MEMBERS[:2], (Variants({}),) * 2, config)
    result, _ = search(problem, (1, 1), FINGERPRINT, make_intervals(), tmp_path / "s.log", "s")
    assert result.summary.best_value == pytest.approx(max(grid), abs=1e-3)
    assert result.summary.polish.score == pytest.approx(max(grid), abs=1e-6)
    assert result.summary.polish.score > max(objective([1, 0]), objective([0, 1]))


def test_a_single_member_is_given_all_weight(tmp_path: Path) -> None:
    problem = Problem(
        make_objective().subset([0]), ("knn",), (Variants({}),), make_problem(trials=3).config
    )
    result, _ = search(problem, (0.3,), FINGERPRINT, make_intervals(), tmp_path / "s.log", "s")
    assert result.weights == (1.0,)


def test_searching_warns_about_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(tmp_path, trials=6).summary.trials == 6


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes", "random", "grid", "qmc"])
def test_every_sampler_fills_a_study(sampler: str, tmp_path: Path) -> None:
    result = run(tmp_path, sampler=sampler, trials=32, enqueue=["equal"])
    assert result.summary.trials == (27 if sampler == "grid" else 32) + (sampler == "grid")
    assert result.summary.best_value > make_objective()([1, 1, 1])
    again = run(tmp_path, "again", sampler=sampler, trials=32, enqueue=["equal"])
    assert again.searched == result.searched


def test_a_grid_that_ends_before_its_trials_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, sampler="grid", trials=27, enqueue=[])
    assert capsys.readouterr().err == ""
    result = run(tmp_path, "b", sampler="grid", trials=60)
    assert result.summary.trials == 27 + 5
    assert capsys.readouterr().err == (
        "search: the grid's size is 27: the study ends when all its points are tried, with the "
        "trials that come first (search.enqueue), though search.trials is 60\n"
    )
    again = run(tmp_path, "b", sampler="grid", trials=60)
    assert again.summary.trials == 27 + 5  # there is nothing left to draw
    run(tmp_path, "c", sampler="grid", trials=6)
    assert capsys.readouterr().err.splitlines()[-1] == (
        "search: the grid's size is 8, with 2 values of each weight at least: search.trials 6 "
        "does not try all its points"
    )


def test_a_grid_of_one_point(tmp_path: Path) -> None:
    bounds = {member: [0.5, 0.5] for member in MEMBERS}
    result = run(tmp_path, sampler="grid", trials=3, bounds=bounds, enqueue=["members", "equal"])
    assert result.weights == (0.5, 0.5, 0.5)


def test_low_bounds_keep_the_digits_of_their_weights(tmp_path: Path) -> None:
    wide = run(tmp_path, "a", bounds={member: [0, 1] for member in MEMBERS})
    low = run(tmp_path, "b", bounds={member: [0, 1e-5] for member in MEMBERS})
    ratio = low.weights[1] / low.weights[0]
    assert ratio == pytest.approx(wide.weights[1] / wide.weights[0], rel=1e-4)
    assert max(low.weights) <= 1e-5


def test_a_study_with_something_else_in_our_attribute_is_refused(tmp_path: Path) -> None:
    import optuna

    study = optuna.create_study(
        storage=open_storage(tmp_path / "s.log"), study_name="s", direction="maximize"
    )
    for value, line in (
        ("text", "is not a study of unprompt"),
        ({"split": ["s"], "predictions": 5}, "was made with other predictions, split"),
        ({"split": "s", "predictions": {"knn": [1, None], "clip": [[]]}}, "predictions of clip"),
    ):
        study.set_user_attr("unprompt", value)
        with pytest.raises(ConfigError, match=line):
            run(tmp_path)


def test_simplex_finds_what_free_finds(tmp_path: Path) -> None:
    free, simplex = run(tmp_path, "a", trials=60), run(tmp_path, "b", trials=60, weights="simplex")
    assert simplex.summary.polish.score == pytest.approx(free.summary.polish.score, abs=1e-5)


def test_bounds_hold_for_trials_and_for_the_polish(tmp_path: Path) -> None:
    result = run(tmp_path, bounds={"knn": [0.0, 0.2], "noise": [0.1, 0.3]})
    for trial in load(tmp_path / "s.log").trials:
        assert 0 <= trial.params["weight.knn"] <= 0.2
        assert 0.1 <= trial.params["weight.noise"] <= 0.3
    assert result.weights[0] <= 0.2 + 1e-6
    assert 0.1 - 1e-6 <= result.weights[2] <= 0.3 + 1e-6


def test_options_are_searched_beside_weights(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    targets = rng.normal(size=(200, 16))
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    rows = [targets + rng.normal(size=targets.shape) * s for s in (0.9, 0.2, 0.5, 0.45)]
    stacked = np.stack([row / np.linalg.norm(row, axis=1, keepdims=True) for row in rows])
    objective = GramObjective.from_predictions(
        stacked.astype(np.float32), targets.astype(np.float32)
    )
    variants = (Variants({"kernel.temperature": [5, 20, 80]}), Variants({}))
    problem = Problem(objective, ("knn", "clip"), variants, make_problem(trials=60).config)
    intervals = make_intervals()
    result, study = search(problem, (1, 1), FINGERPRINT, intervals, tmp_path / "s.log", "s")
    assert result.options == ({"kernel.temperature": 20}, {})
    assert study.best_params["knn.kernel.temperature"] == 20
    knn, clip = result.searched
    assert result.summary.best_value == pytest.approx(objective([0, knn, 0, clip]))


def test_a_study_goes_on_to_its_number_of_trials(tmp_path: Path) -> None:
    run(tmp_path, trials=10)
    result = run(tmp_path, trials=25)
    assert result.summary.trials == len(load(tmp_path / "s.log").trials) == 25
    again = run(tmp_path, trials=25)
    assert again.summary.trials == len(load(tmp_path / "s.log").trials) == 25
    assert again.searched == result.searched


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"split": "t"}, "other split"),
        ({"predictions": {"knn": "z", "clip": "b"}}, "other predictions of knn"),
        ({"predictions": {"knn": "a", "clip": "b", "new": "c"}}, "other predictions of new"),
    ],
)
def test_a_study_on_other_data_is_refused(
    changed: dict[str, Any], difference: str, tmp_path: Path
) -> None:
    run(tmp_path, trials=6)
    with pytest.raises(ConfigError) as caught:
        search(
            make_problem(trials=9),
            ENSEMBLE,
            FINGERPRINT | changed,
            make_intervals(),
            tmp_path / "s.log",
            "s",
        )
    [line] = caught.value.problems
    assert difference in line
    assert "search.study: 's'" in line
    assert len(load(tmp_path / "s.log").trials) == 6


def test_a_study_of_somebody_else_is_refused(tmp_path: Path) -> None:
    import optuna

    other = optuna.create_study(storage=open_storage(tmp_path / "s.log"), study_name="s")
    other.enqueue_trial({"x": 1})
    with pytest.raises(ConfigError, match="is not a study of unprompt"):
        run(tmp_path)


def test_dropping_drops_the_member_that_knows_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, trials=40, drop_members=True)
    assert result.summary.dropped == ("noise",)
    assert result.weights[2] == 0


def test_a_timeout_before_the_first_trial_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^search: no trial was finished within search\.timeout$"):
        run(tmp_path, timeout=1e-9)
