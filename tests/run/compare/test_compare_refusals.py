"""Runs that cannot be compared are refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

import pytest

from unprompt import DataError
from unprompt._runs.compare import compare

if TYPE_CHECKING:
    from tests.run.compare.conftest import Runs


def refused(*folders: Path) -> str:
    with pytest.raises(DataError) as caught:
        compare(folders)
    (line,) = caught.value.problems
    assert "\n" not in line
    return line


def test_fewer_than_two_runs(first: Path) -> None:
    assert refused() == "compare needs two runs or more, not 0"
    assert refused(first) == "compare needs two runs or more, not 1"


def test_the_same_run_twice(first: Path, second: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = first / ".." / "first"
    assert refused(first, second, again) == f"{again}: the same run twice"
    monkeypatch.chdir(first)
    assert refused(Path("."), first) == f"{first}: the same run twice"


def test_folders_without_a_run(first: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "nothing"):
        line = refused(first, tmp_path / name)
        assert line.startswith(f"{tmp_path / name}: no ")
        assert "no finished run" in line
    line = refused(first, first / "images.csv")
    assert line.startswith(f"{first / 'images.csv'}: ")


def test_a_run_without_its_table_of_images(first: Path, second: Path) -> None:
    (second / "images.csv").unlink()
    assert refused(first, second).startswith(f"{second / 'images.csv'}: ")


def test_other_images(first: Path, tmp_path: Path, runs: Runs) -> None:
    part = runs.write(tmp_path / "part", runs.cosines(2), order=range(2, 120))
    assert refused(first, part) == (
        f"{first} and {part} cannot be compared: only one of them has the test images "
        "'p000', 'p001'"
    )
    assert "only one of them has" in refused(part, first)


def test_other_prompts_for_the_same_images(first: Path, tmp_path: Path, runs: Runs) -> None:
    other = runs.write(
        tmp_path / "o", runs.cosines(2), prompts=runs.prompts | {"p005": "a blue dog"}
    )
    assert refused(first, other) == (
        f"{first} and {other} cannot be compared: other prompts for the test images 'p005'"
    )


def test_another_text_encoder(first: Path, tmp_path: Path, runs: Runs) -> None:
    other = runs.write(tmp_path / "o", runs.cosines(2), encoder="mpnet-2")
    assert refused(first, other) == (
        f"{first} and {other} cannot be compared: their text encoders differ (minilm-1, mpnet-2)"
    )


def test_broken_tables_of_images(first: Path, second: Path) -> None:
    path = second / "images.csv"
    whole = path.read_text(encoding="utf-8")
    head, row, *rest = whole.splitlines()

    path.write_text("\n".join([head.replace("cosine", "cos"), row, *rest]), encoding="utf-8")
    assert refused(first, second) == f"{path}: no column 'cosine'"

    path.write_text("\n".join([head.replace("dull", "bright"), row, *rest]), encoding="utf-8")
    assert refused(first, second) == f"{path}: no column 'dull'"

    path.write_text("\n".join([head, row, row, *rest]), encoding="utf-8")
    assert refused(first, second) == f"{path}: repeated ids: 'p119'"

    path.write_text("\n".join([head, *rest, row.rpartition(",")[0] + ",much"]), encoding="utf-8")
    line = refused(first, second)
    assert line == f"{path}: row 120: column 'dull' holds 'much', no cosine"

    path.write_text("\n".join([head, row + ",1", *rest]), encoding="utf-8")
    assert refused(first, second) == f"{path}:2: 10 fields, but the header has 9"


def test_a_broken_experiment(first: Path, second: Path) -> None:
    (first / "experiment.yaml").write_text(
        "name: first\ndata: {plugin: painter}\nscore: {wordings: 1}\n"
    )
    line = refused(first, second)
    assert line.startswith(f"{first / 'experiment.yaml'}: score.wordings: ")


def test_a_mistake_has_exit_code_two(
    unprompt: Callable[..., CompletedProcess[str]], first: Path, second: Path
) -> None:
    done = unprompt("compare", first, first)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.strip().endswith(f"{first}: the same run twice")
    done = unprompt("compare", first, second)
    assert done.returncode == 0
    assert done.stdout.startswith("120 test images in 60 groups")
