"""Runs that lack something, runs of odd sizes, and folders that are no runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner

from unprompt._cli.report import report_command
from unprompt._report.build import build_report, write_report
from unprompt.errors import DataError

if TYPE_CHECKING:
    from tests.report.conftest import MakeRun, Page

ReadPage = Callable[[str], "Page"]

LACKING = {
    "ablations": ("ablations", "ablations"),
    "cases.json": ("cases", "a contact sheet"),
    "history": (None, "an optimisation history"),
    "importances": (None, "parameter importances"),
    "leave_one_out": (None, "leave-one-out gains"),
    "optimism": (None, None),
    "pictures.csv": ("pictures", "the test pictures' cosines"),
    "search": (None, None),
    "test.searched": (None, None),
    "test.paired": (None, None),
    "weights": ("weights", "weights"),
}
"""An optional part -> the section that goes with it, and what the page says is not there."""


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    scores = json.loads((folder / "scores.json").read_text())
    edit(scores)
    (folder / "scores.json").write_text(json.dumps(scores))


@pytest.mark.parametrize("part", LACKING)
def test_a_part_may_be_missing(make_run: MakeRun, read_page: ReadPage, part: str) -> None:
    whole = read_page(build_report(make_run())).sections()
    page = read_page(build_report(make_run(lacking=[part])))
    section, words = LACKING[part]
    assert page.sections() == [name for name in whole if name != section]
    assert f"#{section}" not in {attrs["href"] for attrs in page.all("a")}
    if words:
        assert words in page.text.partition("This run does not hold:")[2]
    assert page.wrong == page.open == []


def test_all_parts_may_be_missing(make_run: MakeRun, read_page: ReadPage) -> None:
    page = read_page(build_report(make_run(lacking=list(LACKING))))
    assert page.sections() == ["pipeline", "scores", "agreement", "stages", "record"]
    assert "holds no comparison" in page.text


def test_predictions_may_be_missing(make_run: MakeRun, read_page: ReadPage) -> None:
    folder = make_run()
    (folder / "predictions" / "member-1.test.parquet").unlink()
    assert "agreement" not in read_page(build_report(folder)).sections()


@pytest.mark.parametrize(("members", "images"), [(1, 60), (2, 60), (20, 60), (3, 1), (1, 1)])
@pytest.mark.parametrize("oracle", [True, False])
def test_odd_sizes(
    make_run: MakeRun, read_page: ReadPage, members: int, images: int, oracle: bool
) -> None:
    page = read_page(build_report(make_run(members=members, images=images, oracle=oracle)))
    assert page.wrong == page.open == []
    assert ("agreement" in page.sections()) == (members > 1)
    assert ("Gap closed" in page.text) == oracle
    assert ("an oracle" in page.text) == (not oracle)
    assert "nan" not in page.text.lower().split()
    if members == 1:
        assert "so there is nothing to weigh" in page.text
    elif images == 1:
        assert "1 test picture falls into 1 group: too few to tell" in page.text


def test_twenty_members_are_counted(make_run: MakeRun, read_page: ReadPage) -> None:
    text = read_page(build_report(make_run(members=20))).text
    assert "and 12 more" in text
    assert "20 members" in text


@pytest.mark.parametrize("broken", [None, float("nan"), float("inf"), "text"])
def test_scores_that_are_no_numbers_are_dashes(
    make_run: MakeRun, read_page: ReadPage, broken: object
) -> None:
    folder = make_run()

    def edit(scores: dict[str, Any]) -> None:
        scores["test"]["members"]["member-1"] = {"score": broken, "ci95": [broken, broken]}
        scores["test"]["ensemble"]["ci95"] = [broken, broken]
        scores["test"]["paired"]["ensemble_minus_equal"] = {"score": broken, "ci95": None}
        scores["history"]["values"][3] = broken
        scores["importances"]["weight.member-0"] = broken
        scores["leave_one_out"]["member-1"]["test"] = broken
        scores["search"]["polish"]["gain"] = broken
        scores["optimism"] = {"score": broken}

    change(folder, edit)
    page = read_page(build_report(folder))
    row = page.text[page.text.index("Every score of the run") :]
    assert "member-1" in row and "\N{EN DASH}" in row
    assert page.wrong == page.open == []
    assert "2 trials without a value are not drawn" in page.text
    words = page.text.replace("None of the", "").split()
    assert {"nan", "inf", "None", "Infinity"}.isdisjoint(words)


def test_pictures_without_a_cosine_are_counted(make_run: MakeRun, read_page: ReadPage) -> None:
    folder = make_run(images=20)
    path = folder / "pictures.csv"
    header, first, *rest = path.read_text().splitlines()
    cells = first.split(",")
    cells[3] = "nan"
    path.write_text("\n".join([header, ",".join(cells), *rest]) + "\n")
    assert "1 picture without a cosine is left out" in read_page(build_report(folder)).text


# Mistakes


@pytest.mark.parametrize("name", ["experiment.yaml", "manifest.json", "scores.json"])
def test_a_folder_that_is_no_run(make_run: MakeRun, name: str) -> None:
    folder = make_run()
    (folder / name).unlink()
    with pytest.raises(DataError) as caught:
        build_report(folder)
    assert caught.value.problems == (f"{folder}: no {name} in it, so it is no finished run",)


def test_an_empty_folder_and_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no experiment\.yaml, manifest\.json, scores\.json in it"):
        build_report(tmp_path)
    with pytest.raises(DataError, match="nowhere: no such folder, so it is no finished run"):
        build_report(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("scores.json", "{", r"scores\.json: cannot be read: Expecting property name"),
        ("scores.json", "[]", r"scores\.json: should be a map, not list"),
        ("scores.json", '{"test": {}}', r"scores\.json: no scores of members and ensemble"),
        ("scores.json", '{"test": 3}', r"scores\.json: no scores of members and ensemble"),
        ("manifest.json", "\udcff", r"manifest\.json: cannot be read: 'utf-8' codec"),
        ("experiment.yaml", "a: [", r"experiment\.yaml: cannot be read: while parsing"),
        ("cases.json", "{}", r"cases\.json: should be a list of maps"),
        ("pictures.csv", "a,b\n1,2\n", r"pictures\.csv: no column `cosine`"),
        ("pictures.csv", "", r"pictures\.csv"),
        ("predictions/member-0.test.parquet", "PAR", r"member-0\.test\.parquet: cannot be read"),
    ],
)
def test_broken_files_are_named(make_run: MakeRun, name: str, content: str, words: str) -> None:
    folder = make_run()
    (folder / "report.html").write_text("old")
    (folder / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=words) as caught:
        write_report(folder)
    assert len(caught.value.problems) == 1
    assert "\n" not in caught.value.problems[0]
    assert (folder / "report.html").read_text() == "old"


def test_predictions_for_other_pictures_are_a_mistake(make_run: MakeRun) -> None:
    folder, other = make_run(images=20), make_run(images=21)
    name = "member-1.test.parquet"
    (folder / "predictions" / name).write_bytes((other / "predictions" / name).read_bytes())
    with pytest.raises(
        DataError, match=r"member-1\.test\.parquet and .*: no embedding for '000020'"
    ):
        build_report(folder)


# The command


def test_the_command_prints_the_path(make_run: MakeRun) -> None:
    app = typer.Typer()
    app.command()(report_command)
    folder = make_run()
    done = CliRunner().invoke(app, [str(folder)])
    assert done.exit_code == 0
    assert done.stdout == f"{folder / 'report.html'}\n"
    assert (folder / "report.html").read_text(encoding="utf-8") == build_report(folder)
