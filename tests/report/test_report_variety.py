"""Runs of other kinds: few or many members and images, no oracle, folds, a study elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from unprompt._cli.commands import report
from unprompt._report.build import build_report

if TYPE_CHECKING:
    from tests.conftest import MakeRun
    from tests.report.conftest import ReadPage


@pytest.mark.parametrize(
    ("members", "images", "oracle"),
    [(1, 60, True), (1, 60, False), (2, 60, False), (20, 60, True), (3, 1, True), (1, 1, False)],
)
def test_odd_sizes(
    make_run: MakeRun, read_page: ReadPage, members: int, images: int, oracle: bool
) -> None:
    page = read_page(make_run(members=members, images=images, oracle=oracle))
    absent = page.text.partition("This run does not hold:")[2]
    assert page.wrong == page.open == []
    assert ("agreement" in page.sections()) == (members > 1)
    assert ("leave-one-out gains" in absent) == (members == 1)
    assert ("Gap closed" in page.text) == oracle
    assert ("an oracle" in absent) == (not oracle)
    assert ("oracle" in page.table("Every score of the run")) == oracle
    assert ("Predicted worst" in page.text) == (images > 1)
    assert not {"nan", "none", "inf"} & set(page.text.replace("None of the", "").lower().split())
    if members == 1:
        assert "so there is nothing to weigh" in page.text
        assert page.table("Weights")["member-0"] == ["1.000", "100.0 %"]


def test_twenty_members_are_counted(make_run: MakeRun, read_page: ReadPage) -> None:
    text = read_page(make_run(members=20)).text
    assert "member-7 and 12 more" in text
    assert "20 members" in text


def test_few_groups_are_too_few_to_tell(make_run: MakeRun, read_page: ReadPage) -> None:
    page = read_page(make_run(images=8))
    assert "8 test images fall into 4 groups: too few to tell (+0." in page.text
    words = "too few groups to tell"
    assert {row[-1] for row in list(page.table("Differences").values())[1:]} == {words}
    assert {row[-1] for row in list(page.table("Weights").values())[1:]} == {words}
    assert page.table("Fitted on the holdout")["per-dimension"][-1] == words
    one = read_page(make_run(images=1))
    assert "1 test image falls into 1 group: too few to tell" in one.text


def test_with_folds_no_image_is_counted_twice(make_run: MakeRun, read_page: ReadPage) -> None:
    plain, folds = read_page(make_run()).text, read_page(make_run(folds=3)).text
    for text in (plain, folds):  # 30 to train on, 60 held out, 60 to test on
        assert "Dataset noisy, 150 images, is split into" in text
    assert ". 3 members learn from train, " in plain
    assert ". 1 member learns from train, " in read_page(make_run(members=1)).text
    assert "train (30 images), holdout (60 images), test (60 images)" in plain
    assert "train and holdout (90 images, dealt to folds), test (60 images)" in folds
    assert folds.count("90 images") == plain.count("30 images")
    assert "Train and holdout are the same images, dealt to folds" in folds
    assert "dealt to folds" not in plain


def test_members_that_are_dropped(make_run: MakeRun, read_page: ReadPage) -> None:
    page = read_page(make_run(noise={2: 5.0}, drop_members=True))
    assert "Dropped because leaving them out did not hurt: member-2." in page.text
    dash = "\N{EN DASH}"
    assert page.table("Weights")["member-2"] == ["0.000", dash, dash, "not used"]
    assert "2 of 3" in page.text


def test_no_importances_and_no_ablations(make_run: MakeRun, read_page: ReadPage) -> None:
    page = read_page(make_run(trials=1, enqueue=["equal"], ablations=[]))
    assert "How much each parameter" not in page.text
    assert "ablations" not in page.sections()
    assert page.text.endswith("This run does not hold: parameter importances, ablations.")
    assert "1 trial with the sampler random" in page.text
    assert page.wrong == page.open == []


def test_a_study_elsewhere(make_run: MakeRun, read_page: ReadPage, tmp_path: Path) -> None:
    storage = str(tmp_path / "elsewhere.journal")
    text = read_page(make_run(storage=storage, study="shared")).text
    assert f"in the study shared , kept in {storage} ." in text
    note = "The whole study is in this folder"
    assert note not in text
    assert note in read_page(make_run()).text


def test_an_image_that_is_not_there(make_run: MakeRun, read_page: ReadPage) -> None:
    folder = make_run()
    (folder / "images" / "00.jpg").unlink()
    page = read_page(folder)
    assert page.text.count("no image in the folder") == 1
    assert len(page.all("img")) == 11


def test_the_command_prints_the_path(make_run: MakeRun) -> None:
    app = typer.Typer()
    app.command()(report)
    folder = make_run()
    (folder / "report.html").unlink()
    done = CliRunner().invoke(app, [str(folder)])
    assert done.exit_code == 0
    assert done.stdout == f"{folder / 'report.html'}\n"
    assert (folder / "report.html").read_text(encoding="utf-8") == build_report(folder)


def test_a_run_writes_its_own_report(make_run: MakeRun) -> None:
    folder = make_run()
    assert (folder / "report.html").read_text(encoding="utf-8") == build_report(folder)
