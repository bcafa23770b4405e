"""Folders that are no runs, and runs with a damaged file: one line that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from unprompt._report.build import build_report, write_report
from unprompt.errors import DataError

if TYPE_CHECKING:
    from tests.conftest import EditJson, MakeRun


COLUMNS = "image_id,prompt,predicted,readback,composed,cosine,group,member-0,member-1,member-2"


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
        ("scores.json", "{", "Invalid JSON: EOF while parsing"),
        ("scores.json", "[]", "Input should be an object"),
        ("scores.json", '{"test": 3}', r"experiment: Field required \(and 13 more\)"),
        ("manifest.json", "\udcff", "Invalid JSON"),
        ("experiment.yaml", "a: [", "cannot be read: while parsing"),
        ("examples.json", "{}", "Input should be a valid (tuple|array)"),
        ("examples.json", '["\\ud83e"]', "Invalid JSON: "),
        ("examples.json", None, "cannot be read: "),
        ("images.csv", "a,b\n1,2\n", "no column 'image_id', 'prompt'"),
        (
            "images.csv",
            f"{COLUMNS}\na,b,c,x,no,0.5,g,0.5,0.5,0.5\n",
            "'readback' holds 'x'",
        ),
        ("images.csv", f"{COLUMNS}\na,b,c,,True,0.5,g,0.5,0.5,0.5\n", "holds 'True', no yes/no"),
        ("images.csv", "", "the file is empty"),
        ("images.csv", None, "no such file"),
        ("predictions/member-0.test.parquet", "PAR", "cannot be read"),
        ("predictions/ensemble.test.parquet", None, "no such file"),
    ],
)
def test_broken_files_are_named(
    make_run: MakeRun, name: str, content: str | None, words: str
) -> None:
    folder = make_run()
    (folder / "report.html").write_text("old")
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=words) as caught:
        write_report(folder)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{folder / name}: ")
    assert "\n" not in problem
    assert (folder / "report.html").read_text() == "old"


def _put(content: Any, path: str, value: Any) -> None:
    *steps, last = path.split(".")
    for step in steps:
        content = content[step]
    content[last] = value


@pytest.mark.parametrize(
    ("name", "path", "value", "words"),
    [
        ("scores.json", "test.members", {}, "other members in `test` than in `weights`"),
        ("scores.json", "holdout.best_member", "x", "other members in `holdout` than in `weights`"),
        ("scores.json", "weights.member-9", 1.0, "other members in `holdout` than in `weights`"),
        ("scores.json", "weights", dict.fromkeys(("member-0", "member-1", "member-2"), 0), "is 0"),
        ("scores.json", "test.ensemble.score", float("nan"), "test.ensemble.score: "),
        ("scores.json", "test.equal.ci95", [0.1], r"test\.equal\.ci95\.1: "),
        ("scores.json", "history.values", [], r"history\.values: "),
        ("manifest.json", "seconds.search", float("nan"), r"seconds\.search: "),
    ],
)
def test_values_that_no_run_has_are_named(
    make_run: MakeRun, edit_json: EditJson, name: str, path: str, value: Any, words: str
) -> None:
    folder = make_run()
    edit_json(folder / name, lambda content: _put(content, path, value))
    with pytest.raises(DataError, match=words) as caught:
        build_report(folder)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{folder / name}: ")


def test_half_a_character_does_not_stop_it(make_run: MakeRun) -> None:
    folder = make_run()
    path = folder / "experiment.yaml"
    path.write_text(path.read_text().replace("plugin: noisy", 'plugin: "no\\uD83Ey"', 1))
    assert "Dataset no\N{REPLACEMENT CHARACTER}y, 150 images" in write_report(folder).read_text(
        encoding="utf-8"
    )


def test_cosines_that_are_none_are_named(make_run: MakeRun) -> None:
    folder = make_run()
    path = folder / "images.csv"
    header, first, *rest = path.read_text().splitlines()
    cells = first.split(",")
    cells[header.split(",").index("cosine")] = "nan"
    path.write_text("\n".join([header, ",".join(cells), *rest]) + "\n")
    with pytest.raises(DataError, match=r"images\.csv: row 1: column 'cosine' holds 'nan'"):
        build_report(folder)


def test_predictions_for_other_images_are_a_mistake(make_run: MakeRun) -> None:
    folder, other = make_run(images=8), make_run(images=9)
    assert len(json.loads((other / "examples.json").read_text())) == 9
    name = "member-1.test.parquet"
    (folder / "predictions" / name).write_bytes((other / "predictions" / name).read_bytes())
    words = (
        r"member-0\.test\.parquet and member-1\.test\.parquet: unexpected embeddings for 'test-8'"
    )
    with pytest.raises(DataError, match=words):
        build_report(folder)
