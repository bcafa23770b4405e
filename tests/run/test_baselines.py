"""What a blend has to beat is in the table, and where it does not, a sentence says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt._cli.tables import scores_table
from unprompt._pipeline.evaluation import Evaluation
from unprompt._runs.baselines import few_groups
from unprompt._runs.run import load_run
from unprompt._runs.scores import Scores
from unprompt._scoring.intervals import Intervals

MakeRun = Callable[..., Path]


def table(folder: Path, edit: Callable[[Any], object] = lambda scores: None) -> str:
    content = json.loads((folder / "scores.json").read_text())
    edit(content)
    return scores_table(Scores.model_validate_json(json.dumps(content)))


def test_every_baseline_has_its_paired_difference(finished_run: MakeRun) -> None:
    folder = finished_run()
    shown, scores = table(folder), load_run(folder).scores
    paired = scores.test.paired
    for name, difference in (
        ("best member", paired.ensemble_minus_best_member),
        ("equal weights", paired.ensemble_minus_equal),
        ("floor", paired.ensemble_minus_floor),
    ):
        assert f"searched - {name}: {difference.score:+.4f} [{difference.low:+.4f}, " in shown
    assert "intervals: 95 %, 30 groups of near-duplicate prompts on test" in shown
    assert "note:" not in shown


def test_a_baseline_above_the_blend_is_said(finished_run: MakeRun) -> None:
    def edit(scores: Any) -> None:
        for key in ("ensemble_minus_best_member", "ensemble_minus_equal"):
            scores["test"]["paired"][key] = {"score": -0.01234, "ci95": [-0.02, -0.00001]}
        scores["test"]["query"] = {**scores["test"]["equal"], "members": ["member-1"]}
        scores["test"]["paired"]["ensemble_minus_query"] = {"score": -0.002, "ci95": [-0.1, 0.1]}

    shown = table(finished_run(), edit)
    assert "note: the best member, member-0, scores 0.0123 above the blend\n" in shown
    assert "note: equal weights score 0.0123 above the blend\n" in shown
    assert (
        "note: the query itself, the mean of the image embeddings of member-1, scores 0.0020 above "
        "the blend, without bank, head, text or search\n"
    ) in shown
    assert "-0.0123 [-0.0200, -0.00001]: worse" in shown


def test_no_gap_is_said(finished_run: MakeRun) -> None:
    def edit(scores: Any) -> None:
        test = scores["test"]
        test["gap_closed"] = test["gap_closed_ci95"] = None
        for score in (test["equal"], test["searched"], test["ensemble"], *test["members"].values()):
            score["gap_closed"] = None

    assert "note: the oracle is not above the floor, so there is no gap" in table(
        finished_run(), edit
    )


def test_an_oracle_at_the_floor_closes_no_gap() -> None:
    values = np.linspace(0.3, 0.9, 12)
    scores = Evaluation(
        intervals=Intervals([str(i) for i in range(12)]),
        members={"one": values},
        equal=values,
        searched=values,
        ensemble=values,
        floor=values - 0.1,
        oracle=values - 0.1,
    ).scores()
    assert (scores.gap_closed, scores.gap_closed_ci95, scores.ensemble.gap_closed) == (None,) * 3
    assert scores.oracle == pytest.approx(scores.floor)


def test_a_table_of_subsets_has_the_blend_and_its_lead(finished_run: MakeRun) -> None:
    folder = finished_run(subsets=("even", "odd"))
    shown, scores = table(folder), load_run(folder).scores
    lines = shown.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("subset "))
    for line, (name, subset) in zip(lines[start + 1 :], scores.test.subsets.items(), strict=False):
        lead, gap = subset.paired.ensemble_minus_best_member, subset.ensemble.gap_closed
        assert gap is not None
        assert line.split()[:4] == [
            *(name, "30", subset.best_member, f"{subset.members[subset.best_member].score:.4f}")
        ]
        ensemble = subset.ensemble
        assert f"  {ensemble.score:.4f} [{ensemble.low:.4f}, {ensemble.high:.4f}]  " in line
        assert f"  {gap.score:.1%} [{gap.low:.1%}, {gap.high:.1%}]  " in line
        assert line.endswith(f"  {lead.score:+.4f} [{lead.low:+.4f}, {lead.high:+.4f}]: better")
    header = next(line for line in lines if "on even" in line)
    for name, contribution in scores.leave_one_out.items():
        line = next(line for line in lines if line.startswith(f"without {name} "))
        for subset_name, gain in contribution.subsets.items():
            place = header.index(f"on {subset_name}")
            cell = f"{-gain.score:+.4f} [{-gain.high:+.4f}, {-gain.low:+.4f}]"
            assert line[place:].startswith(cell)


def test_without_subsets_the_table_has_nothing_of_them(finished_run: MakeRun) -> None:
    assert "subset" not in table(finished_run())


def test_many_subsets_are_cut_short(finished_run: MakeRun) -> None:
    """30 groups, a subset each: 20 rows, and no columns beside what members add."""
    names = [f"s{i:02}" for i in range(30)]
    lines = table(finished_run(subsets=names)).splitlines()
    rows = [line for line in lines if re.match(r"s\d\d +2 ", line)]
    assert [line[:3] for line in rows] == names[:20]
    assert all(line.endswith(": 1 group is too few to tell") for line in rows)
    assert "and 10 more in scores.json" in lines
    assert not any(" on s" in line for line in lines)


def test_a_baseline_clearly_above_the_blend_on_a_subset_is_said(finished_run: MakeRun) -> None:
    def edit(scores: Any) -> None:
        even, odd = (scores["test"]["subsets"][name]["paired"] for name in ("even", "odd"))
        even["ensemble_minus_equal"] = {"score": -0.02, "ci95": [-0.03, -0.01]}
        odd["ensemble_minus_equal"] = {"score": -0.02, "ci95": [-0.03, 0.01]}
        odd["ensemble_minus_best_member"] = {"score": -0.0111, "ci95": [-0.02, -0.01]}

    shown = table(finished_run(subsets=("even", "odd")), edit)
    assert [line for line in shown.splitlines() if line.startswith("note:")] == [
        "note: on the subset even, equal weights score 0.0200 above the blend",
        "note: on the subset odd, the best member, member-0, scores 0.0111 above the blend",
    ]


def test_one_member_has_no_cost_of_fitting(finished_run: MakeRun) -> None:
    folder = finished_run(members=1)
    assert load_run(folder).scores.fitting_cost is None
    assert "cost of choosing weights" not in table(folder)
    assert "Choosing the weights cost" not in (folder / "report.html").read_text()


def test_with_folds_the_cost_of_fitting_is_that_of_other_folds(finished_run: MakeRun) -> None:
    folder = finished_run(folds=3)
    cost = load_run(folder).scores.fitting_cost
    assert cost is not None
    assert cost.judged_on == "other folds"
    assert -1e-6 <= cost.score < 0.005
    assert "the blend out of fold minus weights that were chosen on the other folds" in table(
        folder
    )
    assert "out-of-fold predictions minus that of weights" in (folder / "report.html").read_text()
    assert table(folder).splitlines()[0] == "made: 90 train and holdout, 60 test images"


def test_a_polish_that_gained_nothing_has_no_sign(finished_run: MakeRun) -> None:
    def edit(scores: Any) -> None:
        scores["search"]["polish"]["gain"] = -1e-12

    assert "the best trial was 0.000000 below the optimum" in table(finished_run(), edit)


@pytest.mark.parametrize(("groups", "said"), [(1, True), (2, True), (9, True), (10, False)])
def test_few_groups(groups: int, said: bool) -> None:
    assert (few_groups(groups) is not None) == said


@pytest.mark.parametrize(
    "edit",
    [
        lambda scores: scores["test"].update(images=-1),
        lambda scores: scores["test"].update(groups=0),
        lambda scores: scores["train"].update(groups=1000),
        lambda scores: scores["test"]["equal"].update(ci95=[0.9, 0.1]),
        lambda scores: scores["leak"].update(train_test_max_cosine=7),
    ],
)
def test_scores_that_no_run_could_have_are_refused(
    finished_run: MakeRun, edit: Callable[[Any], object]
) -> None:
    with pytest.raises(ValueError, match="validation error"):
        table(finished_run(), edit)
