"""Runs on the same images are compared: differences are paired by id."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from unprompt._cli.commands import compare as print_comparison
from unprompt._runs.compare import compare
from unprompt._scoring.intervals import Intervals

if TYPE_CHECKING:
    from tests.run.compare.conftest import Runs


def test_differences_are_paired_by_id(first: Path, second: Path, runs: Runs) -> None:
    comparison = compare([first, second])
    first_columns, second_columns = runs.cosines(1), runs.cosines(2, (1.2, 0.8), (1, 2))
    groups = [runs.groups[name] for name in runs.ids]
    line = comparison.runs[1]
    for standing, values, against in (
        (line.ensemble, second_columns["cosine"], first_columns["cosine"]),
        (line.best_member, second_columns["dull"], first_columns["sharp"]),
    ):
        expected = Intervals(groups).mean(values - against)
        assert standing.score == pytest.approx(values.mean(), abs=1e-6)
        assert standing.minus_first is not None
        ends = (standing.minus_first.score, standing.minus_first.low, standing.minus_first.high)
        assert ends == pytest.approx((expected.score, expected.low, expected.high), abs=2e-6)
    assert (comparison.images, comparison.groups) == (120, 60)
    assert [run.best_member.name for run in comparison.runs] == ["sharp", "dull"]
    assert comparison.runs[0].ensemble.minus_first is None
    assert comparison.runs[0].best_member.minus_first is None


def test_three_runs_as_a_table(
    first: Path, second: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], runs: Runs
) -> None:
    same = runs.cosines(1)
    shaken = {
        name: values + np.where(np.arange(120) % 4 < 2, 1e-4, -1e-4)
        for name, values in same.items()
    }
    third = runs.write(tmp_path / "third", shaken)
    print_comparison([second, first, third, runs.write(tmp_path / "fourth", same)], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "120 test images in 60 groups, the same in all runs"
    assert lines[2].split() == ["test", "minus", "first", "95", "%", "interval"]
    assert lines[3].startswith(f"{second}  ensemble")
    assert lines[3].endswith(f"{runs.cosines(2, (1.2, 0.8), (1, 2))['cosine'].mean():.4f}")
    assert "best member: dull" in lines[4]
    assert lines[5].startswith(f"{first} ")
    assert re.search(r"\]  +worse$", lines[5])
    assert re.search(r"\]  +worse$", lines[6])
    assert len(lines) == 11
    print_comparison([first, third, second], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert re.search(r"\]  +no clear difference$", lines[5])
    assert re.search(r"\]  +better$", lines[7])


def test_subsets_of_the_first_run_are_compared_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], runs: Runs
) -> None:
    """The second run has others, or none: images are what is compared, and they are the same."""
    subset = ["left", "left", "right", "right", "", ""] * 20
    first_columns, second_columns = runs.cosines(1), runs.cosines(2, (1.2, 0.8), (1, 2))
    folders = [
        runs.write(tmp_path / "a", first_columns, subset=subset),
        runs.write(tmp_path / "b", second_columns, order=range(120)[::-1]),
    ]
    comparison = compare(folders)
    assert {name: (s.images, s.groups) for name, s in comparison.subsets.items()} == {
        "left": (40, 20),
        "right": (40, 20),
    }
    for name in ("left", "right"):
        inside = np.array(subset) == name
        groups = [runs.groups[image] for image, yes in zip(runs.ids, inside, strict=True) if yes]
        difference = second_columns["cosine"][inside] - first_columns["cosine"][inside]
        expected = Intervals(groups).mean(difference)
        standing = comparison.runs[1].subsets[name]
        assert standing.score == pytest.approx(second_columns["cosine"][inside].mean(), abs=1e-6)
        assert standing.minus_first is not None
        ends = (standing.minus_first.score, standing.minus_first.low, standing.minus_first.high)
        assert ends == pytest.approx((expected.score, expected.low, expected.high), abs=2e-6)
        assert comparison.runs[0].subsets[name].minus_first is None
    print_comparison(folders, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert sum("ensemble, subset left" in line for line in lines) == 2
    assert lines[-1] == "subset right: 40 of 120 test images in 20 groups"
    assert compare(folders[::-1]).subsets == {}


def test_json_and_table_agree(
    first: Path, second: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_comparison([first, second], as_json=True)
    printed = json.loads(capsys.readouterr().out)
    comparison = compare([first, second])
    versus = comparison.runs[1].ensemble.minus_first
    assert versus is not None
    assert printed["runs"][1]["ensemble"] == {
        "name": "ensemble",
        "score": comparison.runs[1].ensemble.score,
        "answered": 120,
        "minus_first": {
            "score": versus.score,
            "ci95": [versus.low, versus.high],
            "verdict": "better",
        },
    }
    assert printed["runs"][0]["best_member"]["name"] == "sharp"
    assert printed["runs"][0]["best_member"]["minus_first"] is None
    assert [run["run"] for run in printed["runs"]] == [str(first), str(second)]
    assert [run["experiment"] for run in printed["runs"]] == ["first", "second"]
    assert (printed["images"], printed["groups"]) == (120, 60)


def test_few_groups_are_too_few_to_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], runs: Runs
) -> None:
    few = {name: f"g{i % 3}" for i, name in enumerate(runs.ids)}
    folders = [
        runs.write(tmp_path / str(i), runs.cosines(i, (noise, 1.4), (1, 1)), groups=few)
        for i, noise in enumerate((1.0, 0.5))
    ]
    print_comparison(folders, as_json=False)
    out = capsys.readouterr().out.splitlines()
    assert re.search(r"\]  +3 groups are too few to tell$", out[5])


def test_a_run_may_have_other_groups_and_the_first_ones_count(
    tmp_path: Path, first: Path, runs: Runs
) -> None:
    coarse = {name: f"g{i // 30}" for i, name in enumerate(runs.ids)}
    other = runs.write(tmp_path / "o", runs.cosines(2, (0.8, 1.4), (1, 1)), groups=coarse)
    assert compare([first, other]).groups == 60
    assert compare([other, first]).groups == 4


def test_below_three_groups_there_is_no_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], runs: Runs
) -> None:
    two = {name: f"g{i % 2}" for i, name in enumerate(runs.ids)}
    folders = [
        runs.write(tmp_path / str(i), runs.cosines(i, (noise, 1.4), (1, 1)), groups=two)
        for i, noise in enumerate((1.0, 0.5))
    ]
    print_comparison(folders, as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert printed["runs"][1]["ensemble"]["minus_first"]["ci95"] is None
    print_comparison(folders, as_json=False)
    line = capsys.readouterr().out.splitlines()[5]
    assert re.search(r" none +2 groups are too few to tell$", line)
