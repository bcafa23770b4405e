"""Prompts that are read from files are kept apart from those that are predicted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import yaml

from unprompt import compare, load_run
from unprompt._cli.tables import comparison_table, scores_table
from unprompt._pipeline.study_page import note
from unprompt._report.build import build_report

from .conftest import READER, Runs

Table = Callable[[Path], dict[str, dict[str, str]]]
Command = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def aside(runs: Runs) -> Path:
    """A run with a member that reads, which takes no part unless it is asked for."""
    return runs([READER])


@pytest.fixture(scope="module")
def included(runs: Runs) -> Path:
    """The same with the member in the blend."""
    return runs([READER], search={"include_reading": True})


def test_what_is_read_is_in_no_other_number(aside: Path, runs: Runs) -> None:
    scores, without = load_run(aside).scores, load_run(runs()).scores
    read = scores.test.reading["reader"]
    assert read.score and (read.images, read.share, read.groups) == (20, 0.5, 20)
    assert read.score.score == pytest.approx(1, abs=1e-6)
    assert set(scores.holdout.reading) == {"reader"}
    apart = {"reading": True, "origins": True}
    for split in ("holdout", "test"):
        ours, theirs = scores.split(split), without.split(split)
        assert ours.model_dump(exclude=apart) == theirs.model_dump(exclude=apart)
        assert ours.origins is None
    assert scores.weights == without.weights and "reader" not in scores.weights
    assert scores.history == without.history
    assert scores.leave_one_out == without.leave_one_out
    assert (aside / "images.csv").read_bytes() == (runs() / "images.csv").read_bytes()


def test_the_runs_ensemble_keeps_it_at_weight_0(aside: Path) -> None:
    ensemble = yaml.safe_load((aside / "ensemble.yaml").read_text())
    weights = {member["name"]: member["weight"] for member in ensemble["members"]}
    assert weights == {**load_run(aside).weights, "reader": 0.0}
    assert (aside / "predictions" / "reader.test.parquet").is_file()
    assert "reader" in json.loads((aside / "manifest.json").read_text())["members"]


def test_every_table_says_it_once(aside: Path) -> None:
    line = "reader, in no other {}: 20 of 40 test images, {}cosine 1.0000 [1.0000, 1.0000]"
    shown = scores_table(load_run(aside).scores)
    assert f"\nread from files by {line.format('score', '')}\n" in shown
    assert shown.count("reader") == 1 and "answered" not in shown
    dashboard = note(load_run(aside))
    assert f"- Read from files by {line.format('number', 'mean ')}." in dashboard
    assert dashboard.count("reader") == 1
    page = build_report(aside)
    assert (
        "<p>reader reads prompts that are in the files, which is no prediction: 20 of 40 test "
        "images, mean cosine 1.0000 [1.0000, 1.0000]. It is in no other number of this page.</p>"
    ) in page


def test_included_both_halves_are_scored_apart(included: Path, table_of: Table) -> None:
    scores, rows = load_run(included).scores, table_of(included)
    origins = scores.test.origins
    assert origins and origins.read.score and origins.predicted.score
    for even, name, part in ((True, "read", origins.read), (False, "predicted", origins.predicted)):
        half = {key: row for key, row in rows.items() if (int(key[5:]) % 2 == 0) == even}
        assert {row["origin"] for row in half.values()} == {name}
        cosines = [float(row["cosine"]) for row in half.values()]
        assert part.score and (part.images, part.share) == (len(cosines), 0.5) == (20, 0.5)
        assert part.score.score == pytest.approx(np.mean(cosines), abs=1e-6)
    both = (origins.read.score.score + origins.predicted.score.score) / 2
    assert both == pytest.approx(scores.test.ensemble.score, abs=1e-9)
    assert origins.read.score.score > 0.999
    assert origins.predicted.score.score < 0.95
    shown = scores_table(scores)
    assert "\nthe blend where prompts were read: 20 of 40 test images, cosine 1.0000 [" in shown
    predicted = f"20 of 40 test images, cosine {origins.predicted.score.score:.4f} ["
    assert f"\nthe blend where prompts were predicted: {predicted}" in shown
    said = (
        "the blend's score is a mean over 20 prompts that were read (1.0000) and 20 prompts that "
        f"were predicted ({origins.predicted.score.score:.4f}): it is not the score of a prediction"
    )
    assert f"note: {said}\n" in shown
    assert f"- Note: {said}.\n" in note(load_run(included))
    page = build_report(included)
    assert said.replace("'", "&#39;") in page
    assert (
        "The blend by where its prompts come from: <em>read</em> from the files, 20 of 40" in page
    )
    assert "20 of them have prompts that were read from the file, not predicted." in page


def test_what_was_read_is_shown_as_it_is_and_is_no_predicted_text(
    included: Path, table_of: Table
) -> None:
    rows = table_of(included)
    for name, row in rows.items():
        if row["origin"] == "read":
            assert (row["predicted"], row["composed"]) == (row["prompt"], "no")
            assert float(row["readback"]) == pytest.approx(float(row["cosine"]), abs=2e-6)
        else:
            assert int(name[5:]) % 2 and row["predicted"] != row["prompt"]
    texts = load_run(included).scores.texts
    assert texts and texts.images == 20
    predicted = [float(row["readback"]) for row in rows.values() if row["origin"] == "predicted"]
    assert texts.readback.score == pytest.approx(np.mean(predicted), abs=1e-6)
    chosen = json.loads((included / "examples.json").read_text())
    assert {example["origin"] for example in chosen} == {"predicted"}


def test_the_query_itself_is_of_backbones_only(included: Path, runs: Runs) -> None:
    """The member has rows of its own, too, but looks at no image."""
    assert load_run(included).scores.test.query is None
    query = load_run(runs([{"plugin": "carrier"}])).scores.test.query
    assert query and query.members == ("carrier",)
    assert query.answered and query.answered.share == 0.5


def test_compare_keeps_read_and_predicted_apart(
    aside: Path, included: Path, table_of: Table
) -> None:
    result = compare([aside, included])
    assert [line.read for line in result.runs] == [0, 20]
    assert (result.images, result.predicted, result.predicted_groups) == (40, 20, 20)
    cosines = [
        np.array([float(row["cosine"]) for name, row in table_of(run).items() if int(name[5:]) % 2])
        for run in (aside, included)
    ]
    for line, own in zip(result.runs, cosines, strict=True):
        assert line.predicted and line.predicted.score == pytest.approx(own.mean(), abs=1e-6)
    second = result.runs[1].predicted
    assert second and second.minus_first
    assert second.minus_first.score == pytest.approx((cosines[1] - cosines[0]).mean(), abs=1e-6)
    assert set(result.runs[0].reading) == {"reader"} and not result.runs[1].reading
    shown = comparison_table(result)
    assert "the prompts of 20 in 20 groups were read by none of them" in shown.splitlines()[0]
    assert shown.count("ensemble, predicted prompts only") == 2
    assert f"{included}: 20 of 40 prompts were read from files" in shown
    assert f"{aside}: read from files by reader, in no other score: 20 of 40 test images" in shown


def test_a_search_alone_leaves_it_out(runs: Runs, unprompt: Command) -> None:
    path = runs.write([READER], name="searched")
    done = unprompt("search", path, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "\nreader    0.000000\n" in done.stdout


@pytest.mark.parametrize(
    ("blocks", "mistake"),
    [
        (
            {"ensemble": {"text_encoder": {"plugin": "noisy"}, "members": [READER]}},
            "ensemble.members: only members that read prompts from files: nothing is predicted; ",
        ),
        (
            {"search": {"bounds": {"reader": [0.5, 1]}}},
            "search.bounds.reader: reads prompts from files, so its weight is 0; ",
        ),
        (
            {"search": {"space": {"reader": {"every": [1, 2]}}}},
            "search.space.reader: reads prompts from files, so its weight is 0; ",
        ),
    ],
)
def test_a_search_of_what_takes_no_part_is_a_mistake(
    runs: Runs, unprompt: Command, blocks: dict[str, object], mistake: str
) -> None:
    done = unprompt("config", "validate", runs.write([READER], **blocks))
    assert done.returncode == 2
    assert f"{mistake}set search.include_reading to true to let it take part\n" in done.stderr


def test_only_members_that_read_have_weight(runs: Runs) -> None:
    """The ensemble's own weights are then no trial, as they would blend nothing."""
    members = [{**member, "weight": 0} for member in runs.members] + [READER]
    folder = runs([], ensemble={"text_encoder": {"plugin": "noisy"}, "members": members})
    assert any(load_run(folder).weights.values())


def test_a_row_without_the_text_that_was_read_is_refused(runs: Runs, unprompt: Command) -> None:
    done = unprompt("run", runs.write([{**READER, "options": {"fault": "wordless"}}]), "--quiet")
    assert done.returncode == 2
    line = done.stderr.splitlines()[0]
    assert line.startswith("member 'reader': plugin 'reader' (from unprompt-carrier 1.0): ")
    assert "reads prompts, and gave a row without the prompt that it read for 'holdout-0'" in line


def test_no_file_holds_a_prompt(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    """Which is usual, and nothing to warn of."""
    folder = runs([{**READER, "options": {"every": 0}}])
    assert "read from files by reader, in no other score: 0 of 40 test images\n" in scores_table(
        load_run(folder).scores
    )
    assert not [record for record in caplog.records if "reader" in record.getMessage()]
