"""A run with a member that abstains from every second image: every table adds up."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest

from unprompt import compare, load_run
from unprompt._cli.tables import comparison_table, scores_table
from unprompt._pipeline.study_page import note
from unprompt._report.agreement import agreement
from unprompt._report.build import build_report
from unprompt.testing import HashedWords
from unprompt.types import DoubleArray

from .conftest import CARRIER, Rows, Runs

Table = Callable[[Path], dict[str, dict[str, str]]]


@pytest.fixture(scope="module")
def folder(runs: Runs) -> Path:
    """The run of two noisy members and the carrier."""
    return runs([CARRIER], search={"ablations": ["per-dimension", "ridge-stack"]})


def direct(
    rows: Mapping[str, Mapping[str, DoubleArray]], weights: Mapping[str, float], split: str
) -> dict[str, float]:
    """Image id -> cosine of the blend with the true prompt, in float64 from the formula alone."""
    cosines = {}
    for name in next(iter(rows.values())):
        total = sum(weights[member] * rows[member][name] for member in weights)
        number = name.rpartition("-")[2]
        target = HashedWords().encode([f"{split} number {number}"])[0].astype(np.float64)
        length = float(np.linalg.norm(total)) * float(np.linalg.norm(target))
        cosines[name] = float(total @ target) / length if length else 0.0
    return cosines


def mean(cosines: Mapping[str, float], *, even: bool | None = None) -> float:
    """The mean over all images, or over those with an even or odd number."""
    return float(
        np.mean(
            [
                value
                for name, value in cosines.items()
                if even is None or (int(name.rpartition("-")[2]) % 2 == 0) == even
            ]
        )
    )


def test_every_score_adds_up(folder: Path, rows_of: Rows) -> None:
    scores = load_run(folder).scores
    names = [*scores.weights]
    assert names == ["member-0", "member-1", "carrier"]
    for split in ("holdout", "test"):
        own = scores.split(split)
        rows = {name: rows_of(folder, f"{name}.{split}") for name in names}
        carrier = own.members["carrier"].answered
        assert carrier and carrier.score
        assert (carrier.images, carrier.share) == (own.images // 2, 0.5)
        assert carrier.groups == own.groups  # two by two, and one of each is answered
        assert carrier.score.score == pytest.approx(1, abs=1e-6)
        assert carrier.score.score * carrier.share == pytest.approx(own.members["carrier"].score)
        assert all(own.members[name].answered is None for name in names[:2])
        for name in names:
            alone = direct(rows, {name: 1.0}, split)
            assert own.members[name].score == pytest.approx(mean(alone), abs=1e-6)
        for weights, score in (
            (dict.fromkeys(names, 1.0), own.equal),
            (scores.searched_weights, own.searched),
            (scores.weights, own.ensemble),
        ):
            assert score.answered is None
            assert score.score == pytest.approx(mean(direct(rows, weights, split)), abs=1e-6)
    assert scores.search.polish.score == pytest.approx(scores.holdout.ensemble.score, abs=2e-6)
    assert scores.test.best_member == "member-0"
    lead = scores.test.ensemble.score - scores.test.members["member-0"].score
    assert scores.test.paired.ensemble_minus_best_member.score == pytest.approx(lead, abs=1e-9)
    assert 0 < scores.ablations["per-dimension"].score <= 1
    assert 0 < scores.ablations["ridge-stack"].score <= 1


def test_the_other_half_is_blended_as_if_the_member_was_not_there(
    folder: Path, rows_of: Rows, runs: Runs, table_of: Table
) -> None:
    """Against the formula, and against a run without the member at the same weights."""
    weights = {name: load_run(folder).weights[name] for name in ("member-0", "member-1")}
    largest = max(weights.values())
    fixed = {name: [weight / largest] * 2 for name, weight in weights.items()}
    without = runs((), search={"trials": 1, "bounds": fixed})
    with_it, alone = rows_of(folder, "ensemble.test"), rows_of(without, "ensemble.test")
    odd = [name for name in alone if int(name.rpartition("-")[2]) % 2]
    assert len(odd) == len(alone) // 2 == 20
    for name in odd:
        np.testing.assert_allclose(with_it[name], alone[name], atol=1e-6)
    rows = {name: rows_of(folder, f"{name}.test") for name in weights}
    expected = mean(direct(rows, weights, "test"), even=False)
    for run in (folder, without):
        table = table_of(run)
        cosines = [float(table[name]["cosine"]) for name in odd]
        assert np.mean(cosines) == pytest.approx(expected, abs=1e-6)


def test_leave_one_out_is_the_difference_of_two_blends(folder: Path, rows_of: Rows) -> None:
    """Without the member, the weights of the others are those that are best without it."""
    from scipy.optimize import minimize_scalar

    scores = load_run(folder).scores
    rows = {
        split: {name: rows_of(folder, f"{name}.{split}") for name in scores.weights}
        for split in ("holdout", "test")
    }

    def without(share: float, split: str) -> float:
        return mean(direct(rows[split], {"member-0": 1 - share, "member-1": share}, split))

    best = minimize_scalar(
        lambda share: -without(share, "holdout"), bounds=(0, 1), method="bounded"
    )
    for split in ("holdout", "test"):
        full = mean(direct(rows[split], scores.weights, split))
        gain = getattr(scores.leave_one_out["carrier"], split).score
        assert gain == pytest.approx(full - without(float(best.x), split), abs=1e-5)


def test_the_table_of_images_leaves_cells_empty(folder: Path, table_of: Table) -> None:
    scores, rows = load_run(folder).scores, table_of(folder)
    own = {name: row["carrier"] for name, row in rows.items()}
    assert {name for name, cell in own.items() if cell} == {f"test-{i}" for i in range(0, 40, 2)}
    answered = scores.test.members["carrier"].answered
    assert answered and answered.score
    cells = [float(cell) for cell in own.values() if cell]
    assert np.mean(cells) == pytest.approx(answered.score.score, abs=1e-6)
    assert np.sum(cells) / len(rows) == pytest.approx(
        scores.test.members["carrier"].score, abs=1e-6
    )
    assert {row["origin"] for row in rows.values()} == {"predicted"}
    cosines = [float(row["cosine"]) for row in rows.values()]
    assert np.mean(cosines) == pytest.approx(scores.test.ensemble.score, abs=1e-6)
    loaded = {row.image_id: row.members["carrier"] for row in load_run(folder).images}
    assert loaded["test-1"] is None and loaded["test-2"] == pytest.approx(1)


def test_examples_say_who_has_no_answer(folder: Path) -> None:
    for example in json.loads((folder / "examples.json").read_text()):
        odd = int(example["image_id"].rpartition("-")[2]) % 2 == 1
        assert (example["members"]["carrier"] is None) == odd
        assert (example["evidence"]["carrier"] == []) == odd


def test_expected_scores_know_who_answered(folder: Path) -> None:
    import pyarrow.parquet as pq

    expected = json.loads((folder / "expected.json").read_text())
    assert expected["model"]["terms"]["answered carrier"]["slope"] > 0.01
    assert expected["domain"]["members"] == ["member-0", "member-1"]
    rows = pq.read_table(folder / "predictions" / "ensemble.test.parquet").to_pylist()
    means = [
        np.mean(
            [
                row["expected_score"]
                for row in rows
                if int(row["image_id"][5:]) % 2 == odd and not row["out_of_domain"]
            ]
        )
        for odd in (0, 1)
    ]
    assert means[0] > means[1] + 0.05


def test_members_are_compared_where_both_answer(folder: Path, rows_of: Rows) -> None:
    table = agreement(load_run(folder))
    assert table and table.partial
    first, carrier = rows_of(folder, "member-0.test"), rows_of(folder, "carrier.test")
    cosines = [first[name] @ row for name, row in carrier.items() if row.any()]
    cell = table.rows[0][2]
    assert cell and cell.value == pytest.approx(np.mean(cosines), abs=1e-6)
    assert len(cosines) == 20 and np.mean(cosines) > 0.7


def test_the_table_has_columns_for_it_only_where_somebody_abstains(
    folder: Path, runs: Runs
) -> None:
    shown = scores_table(load_run(folder).scores)
    header, *lines = shown.splitlines()[3:10]
    assert header.split()[-6:] == ["answered", "score", "there", "95", "%", "interval"]
    by_name = {line.split()[0]: line for line in lines}
    assert "  20 (50.0%)   1.0000       [1.0000, 1.0000]" in by_name["carrier"]
    assert by_name["member-0"].endswith("  40 (100.0%)")
    assert "note: an image that a member has no answer for counts 0 in its score\n" in shown
    assert "read" not in shown
    without = scores_table(load_run(runs()).scores)
    assert "answer" not in without


def test_report_and_dashboard_say_it(folder: Path, runs: Runs) -> None:
    page, other = build_report(folder), build_report(runs())
    assert ">20 (50.0\N{NO-BREAK SPACE}%)</td>" in page
    assert "Test, where answered" in page and "no answer</td>" in page
    assert "over the images that both have an answer for" in page
    assert "nswered" not in other and "an answer" not in other
    shown = note(load_run(folder))
    assert "| member | weight | test | answered | test, where answered |" in shown
    assert "| 0.5000 | 20 (50.0%) | 1.0000 [1.0000, 1.0000] |" in shown
    assert "answered" not in note(load_run(runs()))


def test_compare_counts_answers(folder: Path, runs: Runs, rows_of: Rows) -> None:
    nobody = runs([{**CARRIER, "options": {"every": 0}}])
    result = compare([folder, nobody])
    assert [line.ensemble.answered for line in result.runs] == [40, 40]
    assert (result.predicted, result.runs[0].predicted, result.runs[0].read) == (40, None, 0)
    assert "answered" not in comparison_table(result)
    difference = result.runs[1].ensemble.minus_first
    assert difference
    both = [load_run(run).scores.test.ensemble.score for run in (folder, nobody)]
    assert difference.score == pytest.approx(both[1] - both[0], abs=1e-6)


def test_a_member_that_answers_nobody_is_said(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    folder = runs([{**CARRIER, "name": "silent", "options": {"every": 0}}])
    scores = load_run(folder).scores
    part = scores.test.members["silent"].answered
    assert part and (part.images, part.share, part.groups, part.score) == (0, 0.0, 0, None)
    shown = scores_table(scores)
    assert "note: silent has an answer for none of the 40 test images\n" in shown
    assert "  0 (0.0%)" in shown
    warned = [record.getMessage() for record in caplog.records]
    assert "member 'silent' answered for none of 60 holdout images: it adds nothing there" in warned
    assert "silent has an answer for none" in build_report(folder)
    table = agreement(load_run(folder))
    assert table and table.rows[0][2] and table.rows[0][2].value is None


def test_where_nobody_answers_the_blend_says_so(runs: Runs, table_of: Table, rows_of: Rows) -> None:
    folder = runs([], ensemble={"text_encoder": {"plugin": "noisy"}, "members": [CARRIER]})
    scores = load_run(folder).scores
    part = scores.test.ensemble.answered
    assert part and part.score and (part.images, part.share) == (20, 0.5)
    assert part.score.score * 0.5 == pytest.approx(scores.test.ensemble.score)
    assert (
        "note: nobody in the blend has an answer for 20 of the 40 test images: they count 0 in its "
        "score\n"
    ) in scores_table(scores)
    rows = table_of(folder)
    none = {name for name, row in rows.items() if row["origin"] == "none"}
    assert none == {f"test-{i}" for i in range(1, 40, 2)}
    assert {(rows[name]["predicted"], rows[name]["cosine"]) for name in none} == {("", "0.000000")}
    blend = rows_of(folder, "ensemble.test")
    assert {name for name, row in blend.items() if not row.any()} == none
    page = build_report(folder)
    assert "20 images for which nobody has an answer count 0 in the mean and are not drawn." in page
    chosen = json.loads((folder / "examples.json").read_text())
    assert {example["origin"] for example in chosen} == {"predicted"}
    assert not none & {example["image_id"] for example in chosen}
    # Learned from images that have a prediction, and 30 of the holdout are too few.
    assert not (folder / "expected.json").exists()


def test_out_of_fold_predictions_may_abstain(runs: Runs, rows_of: Rows) -> None:
    folder = runs([CARRIER], search={"folds": 3})
    scores = load_run(folder).scores
    part = scores.holdout.members["carrier"].answered
    assert part and (part.images, part.share) == (45, 0.5)
    rows = {name: rows_of(folder, f"{name}.holdout") for name in scores.weights}
    cosines: list[float] = []
    for split in ("train", "holdout"):
        own = {
            member: {name: row for name, row in some.items() if name.startswith(split)}
            for member, some in rows.items()
        }
        cosines += direct(own, scores.weights, split).values()
    assert scores.holdout.ensemble.score == pytest.approx(np.mean(cosines), abs=1e-6)
    assert scores.fitting_cost and scores.fitting_cost.judged_on == "other folds"
    assert -1e-6 <= scores.fitting_cost.score < 0.01


def test_searched_options_may_change_what_is_answered(runs: Runs) -> None:
    """Each option is a variant with its own zero rows; the one with more answers is better."""
    folder = runs([CARRIER], search={"space": {"carrier": {"every": [3, 1, 2]}}})
    scores = load_run(folder).scores
    assert scores.options == {"carrier": {"every": 1}}
    assert scores.test.members["carrier"].answered is None
    assert scores.test.ensemble.score == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("prompt", "gave a zero row, which abstains, and still a prompt for 'holdout-1', "),
        ("evidence", "gave a zero row, which abstains, and still evidence for 'holdout-1', "),
    ],
)
def test_an_abstention_with_a_text_is_refused(
    runs: Runs, unprompt: Callable[..., CompletedProcess[str]], fault: str, what: str
) -> None:
    broken: dict[str, Any] = {**CARRIER, "name": "odd", "options": {"fault": fault}}
    done = unprompt("run", runs.write([broken]), "--quiet")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"member 'odd' (plugin 'carrier'): {what}")
    assert len(done.stderr.splitlines()) == 1
