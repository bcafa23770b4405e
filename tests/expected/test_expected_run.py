"""Expected scores in a run's folder, in its report, and in predictions made from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING, Any, assert_type

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import unprompt
from unprompt._report.build import build_report
from unprompt.embeddings import cosine

if TYPE_CHECKING:
    from tests.conftest import EditJson, MakeRun

Command = Callable[..., CompletedProcess[str]]


SAME = {f"test-{i}": f"holdout number {100 + i}" for i in range(60)}
"""Prompts of test images that are of one kind with the holdout's."""


@pytest.fixture
def run_folder(make_run: MakeRun) -> Path:
    return make_run(prompts=SAME)


@pytest.fixture
def clear_run(make_run: MakeRun) -> Path:
    """A run whose members see files as they see the dataset's images: without noise."""
    return make_run(prompts=SAME, noise={0: 0.0, 1: 0.0, 2: 0.0})


@pytest.fixture
def images(run_folder: Path, tmp_path: Path) -> Path:
    """Every test image of the run, and three of noise, as files."""
    folder = tmp_path / "images"
    folder.mkdir()
    drawn = import_module("noisy_plugin").Drawn  # on the path while runs are made
    prompts = {row.image_id: row.prompt for row in unprompt.load_run(run_folder).images}
    for name in prompts:
        drawn(prompts).open(name).save(folder / f"{name}.png")
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"noise-{seed}.png")
    return folder


def predicted(unprompt: Command, run: Path, images: Path, *more: str) -> tuple[Any, str]:
    """Image id -> line of the file, and what was said on stderr."""
    target = images.parent / "p.jsonl"
    done = unprompt("predict", run, images, "-o", target, "--quiet", *more)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    return {line["image_id"]: line for line in lines}, done.stderr


def test_the_file_says_what_test_images_show(run_folder: Path) -> None:
    """Every number of the calibration follows from two other files of the run."""
    calibration = json.loads((run_folder / "expected.json").read_text())["test"]
    table = pq.read_table(run_folder / "predictions" / "ensemble.test.parquet")
    score, low, high = (
        np.array(table[name].to_pylist(), np.float64)
        for name in ("expected_score", "expected_low", "expected_high")
    )
    actual = {row.image_id: row.cosine for row in unprompt.load_run(run_folder).images}
    truth = np.array([actual[name] for name in table["image_id"].to_pylist()])
    inside = ~np.array(table["out_of_domain"].to_pylist())
    np.testing.assert_array_equal(np.isnan(score), ~inside)
    score, low, high, truth = (values[inside] for values in (score, low, high, truth))
    assert (calibration["images"], calibration["flagged"]) == (inside.sum(), (~inside).sum())
    assert calibration["expected"] == pytest.approx(score.mean())
    assert calibration["actual"] == pytest.approx(truth.mean(), abs=1e-6)
    assert calibration["inside"] == pytest.approx(((low <= truth) & (truth <= high)).mean())
    if calibration["correlation"] is None:
        assert score.std() < 1e-9
    else:
        correlation = np.corrcoef(score, truth)[0, 1]
        assert calibration["correlation"] == pytest.approx(correlation, abs=1e-4)
    order = np.array_split(np.argsort(score, kind="stable"), 10)
    for tenth, shown in zip(order, calibration["bins"], strict=True):
        assert shown["images"] == len(tenth)
        assert shown["expected"] == pytest.approx(score[tenth].mean())
        assert shown["actual"] == pytest.approx(truth[tenth].mean(), abs=1e-6)


def test_new_predictions_say_the_same_as_the_run(
    unprompt: Command, clear_run: Path, images: Path
) -> None:
    lines, said = predicted(unprompt, clear_run, images)
    table = pq.read_table(clear_run / "predictions" / "ensemble.test.parquet")
    fields = ("expected_score", "expected_low", "expected_high", "out_of_domain")
    for row in table.select(["image_id", *fields]).to_pylist():
        for name in fields:
            assert lines[row["image_id"]][name] == pytest.approx(row[name], abs=1e-6)
    noise = [line for name, line in lines.items() if name.startswith("noise")]
    assert [line["out_of_domain"] for line in noise] == [True] * 3
    assert [line[name] for line in noise for name in fields[:3]] == [None] * 9
    count = sum(line["out_of_domain"] for line in lines.values())
    assert (
        f"{count} of 63 images are unlike anything that {clear_run} was scored on "
        "(out_of_domain): its score does not apply to them, and no score is expected of them"
    ) in said.splitlines()


def test_fields_of_parquet_are_numbers_and_truths(
    unprompt: Command, run_folder: Path, images: Path, tmp_path: Path
) -> None:
    target = tmp_path / "p.parquet"
    assert unprompt("predict", run_folder, images, "-o", target, "--quiet").returncode == 0
    types = {field.name: str(field.type) for field in pq.read_schema(target)}
    assert {types[f"expected_{name}"] for name in ("score", "low", "high")} == {"double"}
    assert types["out_of_domain"] == "bool"
    for suffix in ("csv", "npy"):  # as they were
        done = unprompt("predict", run_folder, images, "-o", tmp_path / f"p.{suffix}", "--quiet")
        assert done.returncode == 0
        assert "of 63 images are unlike" in done.stderr


def test_predictions_are_typed(clear_run: Path, images: Path) -> None:
    predictions = unprompt.load_ensemble(clear_run).predict(images)
    assert_type(predictions.expected["test-0"], unprompt.Expected | None)
    said = predictions.expected["noise-0"]
    assert said == unprompt.Expected(None, None, None, out_of_domain=True)
    truth = {row.image_id: row for row in unprompt.load_run(clear_run).images}
    rows = unprompt.load_run(clear_run).predictions().align(list(truth))
    again = predictions.embeddings.select(list(truth))
    assert cosine(rows.rows, again.rows).min() > 1 - 1e-5  # the same predictions


@pytest.mark.parametrize(
    "change", ["members.member-0.weight=0.3", "members.member-1.options.seed=7"]
)
def test_other_weights_or_options_have_no_expected_score(
    unprompt: Command, run_folder: Path, images: Path, change: str
) -> None:
    lines, said = predicted(unprompt, run_folder, images, "--set", change)
    assert {line["expected_score"] for line in lines.values()} == {None}
    assert {line["out_of_domain"] for line in lines.values()} == {None}
    assert said.splitlines() == [
        f"{run_folder}: no expected scores: expected.json was learned for other members, "
        + "weights or options than these"
    ]


def test_the_same_values_set_again_change_nothing(
    unprompt: Command, run_folder: Path, images: Path
) -> None:
    weight = first_weight(run_folder)
    lines, _ = predicted(unprompt, run_folder, images, "--set", f"members.member-0.weight={weight}")
    assert None not in {line["out_of_domain"] for line in lines.values()}


def first_weight(run_folder: Path) -> float:
    return unprompt.load_run(run_folder).weights["member-0"]


def test_a_moved_run_and_its_yaml_still_expect(
    unprompt: Command, run_folder: Path, images: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "elsewhere"
    shutil.move(run_folder, moved)
    lines, _ = predicted(unprompt, moved / "ensemble.yaml", images)
    assert not lines["test-1"]["out_of_domain"]
    assert lines["test-1"]["expected_score"] is not None


def test_an_ensemble_without_a_run_claims_nothing(
    unprompt: Command, run_folder: Path, images: Path, tmp_path: Path
) -> None:
    shutil.copy(run_folder / "ensemble.yaml", tmp_path / "mine.yaml")
    shutil.copytree(run_folder / "artifacts", tmp_path / "artifacts")
    lines, said = predicted(unprompt, tmp_path / "mine.yaml", images)
    assert {line["expected_score"] for line in lines.values()} == {None}
    assert said == ""


def test_a_run_without_the_file_says_so(unprompt: Command, run_folder: Path, images: Path) -> None:
    (run_folder / "expected.json").unlink()
    lines, said = predicted(unprompt, run_folder, images)
    assert {line["out_of_domain"] for line in lines.values()} == {None}
    assert said.splitlines() == [
        f"{run_folder}: no expected.json beside it, so there are no expected scores: only runs "
        + "with at least 50 holdout images in 10 groups write one"
    ]
    assert "expected scores (too few holdout images)" in build_report(run_folder)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("expected.json", lambda path: path.write_text("{")),
        ("expected.json", lambda path: path.write_text("[]")),
        ("expected.json", lambda path: path.write_text("[" * 100_000)),
        ("expected.json", lambda path: path.write_bytes(b"\xff\xfe")),
        ("domain.safetensors", lambda path: path.unlink()),
        ("domain.safetensors", lambda path: path.write_bytes(b"")),
        ("domain.safetensors", lambda path: path.write_bytes(path.read_bytes()[:-100])),
    ],
)
def test_a_damaged_file_is_one_line_that_names_it(
    unprompt: Command,
    run_folder: Path,
    images: Path,
    name: str,
    damage: Callable[[Path], object],
) -> None:
    damage(run_folder / name)
    target = images.parent / "p.jsonl"
    for line in (("predict", run_folder, images, "-o", target, "--quiet"), ("report", run_folder)):
        done = unprompt(*line)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
        assert str(run_folder / name) in done.stderr
    assert not target.exists()


@pytest.mark.parametrize(
    ("where", "value"),
    [(("model", "mean"), "high"), (("test", "inside"), 1.5), (("domain", "threshold"), None)],
)
def test_wrong_content_names_the_field(
    run_folder: Path, edit_json: EditJson, where: tuple[str, str], value: object
) -> None:
    def edit(content: Any) -> None:
        content[where[0]][where[1]] = value

    edit_json(run_folder / "expected.json", edit)
    with pytest.raises(unprompt.DataError, match=rf"expected\.json: {'.'.join(where)}: Input"):
        unprompt.load_ensemble(run_folder)


def test_one_member_has_what_its_evidence_says(make_run: MakeRun) -> None:
    folder = make_run(members=1)
    model = json.loads((folder / "expected.json").read_text())["model"]
    assert not any("agreement" in name or "length" in name for name in model["terms"])
    assert "Expected scores" in build_report(folder)


def test_the_report_shows_bins_and_numbers(run_folder: Path) -> None:
    content = json.loads((run_folder / "expected.json").read_text())
    page = build_report(run_folder)
    for shown in content["test"]["bins"]:
        assert f"{shown['expected']:.3f} expected, {shown['actual']:.3f} actual" in page
    assert f'<td class="number">{content["test"]["expected"]:.4f}</td>' in page
    assert (
        f'<td class="number">{content["test"]["inside"] * 100:.1f}\N{NO-BREAK SPACE}%</td>' in page
    )
    flagged = f"{content['test']['flagged']} of 60</td>"
    assert flagged in page


@pytest.mark.parametrize("correlation", [0.25, None])
def test_a_correlation_is_shown_where_there_is_one(
    run_folder: Path, edit_json: EditJson, correlation: float | None
) -> None:
    edit_json(
        run_folder / "expected.json",
        lambda content: content["test"].update(correlation=correlation),
    )
    shown = 'Correlation, image by image</th><td class="number">0.250<'
    assert (shown in build_report(run_folder)) == (correlation is not None)
