"""Scores of each subset that a dataset names: the same numbers from the subset's images alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unprompt._data.predictions import read_predictions
from unprompt._runs.run import load_run
from unprompt._runs.scores import Scores
from unprompt._scoring.blend import blend
from unprompt._scoring.intervals import Intervals
from unprompt.embeddings import Embeddings, cosine
from unprompt.errors import DataError
from unprompt.testing import HashedWords
from unprompt.types import DoubleArray

MakeRun = Callable[..., Path]
HALVES = ("even", "odd")
MEMBERS = ("member-0", "member-1", "member-2")


class Files:
    """What a run's tables and predictions say of the test images of one subset."""

    def __init__(self, folder: Path, subset: str) -> None:
        with (folder / "images.csv").open(encoding="utf-8", newline="") as file:
            self.rows = [row for row in csv.DictReader(file) if row["subset"] == subset]
        self.folder = folder
        self.ids = [row["image_id"] for row in self.rows]
        self.targets = HashedWords().encode([row["prompt"] for row in self.rows])
        self.intervals = Intervals([row["group"] for row in self.rows])

    def predicted(self, name: str) -> Embeddings:
        path = self.folder / "predictions" / f"{name}.test.parquet"
        return read_predictions(path).select(self.ids)

    def cosines(self, rows: Embeddings) -> DoubleArray:
        return cosine(rows.rows, self.targets)

    def weighted(self, weights: Mapping[str, float]) -> DoubleArray:
        members = [self.predicted(name) for name in weights]
        return self.cosines(blend(members, list(weights.values())))


def scores_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "scores.json").read_text())
    return content


def is_mean(entry: Mapping[str, Any], files: Files, values: DoubleArray) -> bool:
    expected = files.intervals.mean(values)
    wanted = [expected.score, *(expected.ci95 or ())]
    return [entry["score"], *(entry["ci95"] or ())] == pytest.approx(wanted, abs=2e-6)


@pytest.mark.parametrize("subset", HALVES)
def test_every_score_of_a_subset_is_that_of_its_images(finished_run: MakeRun, subset: str) -> None:
    folder = finished_run(subsets=HALVES)
    scores, files = scores_of(folder), Files(folder, subset)
    part = scores["test"]["subsets"][subset]
    assert (part["images"], part["groups"]) == (len(files.ids), 15) == (30, 15)
    own = {name: files.cosines(files.predicted(name)) for name in (*MEMBERS, "ensemble")}
    for name in MEMBERS:
        assert is_mean(part["members"][name], files, own[name])
    ours = own["ensemble"]
    assert is_mean(part["ensemble"], files, ours)
    equal = files.weighted(dict.fromkeys(MEMBERS, 1.0))
    searched = files.weighted(scores["searched_weights"])
    assert is_mean(part["equal"], files, equal)
    assert is_mean(part["searched"], files, searched)
    best = max(MEMBERS, key=lambda name: own[name].mean())
    assert part["best_member"] == best
    for other, values in (("best_member", own[best]), ("equal", equal), ("best_trial", searched)):
        assert is_mean(part["paired"][f"ensemble_minus_{other}"], files, ours - values)
    gap = (part["ensemble"]["score"] - part["floor"]) / (part["oracle"] - part["floor"])
    assert part["gap_closed"] == part["ensemble"]["gap_closed"]["score"] == pytest.approx(gap)
    assert part["subsets"] == {}


def test_both_halves_add_up_to_the_split(finished_run: MakeRun) -> None:
    scores = scores_of(finished_run(subsets=HALVES))
    for split in ("holdout", "test"):
        halves = [scores[split]["subsets"][name] for name in HALVES]
        images = [half["images"] for half in halves]
        assert sum(images) == scores[split]["images"]
        for key in ("floor", "oracle"):
            mean = np.average([half[key] for half in halves], weights=images)
            assert mean == pytest.approx(scores[split][key])
    for entries in (scores["leave_one_out"], scores["ablations"]):
        for entry in entries.values():
            halves = [entry["subsets"][name] for name in HALVES]
            whole = entry.get("test", entry)["score"]
            assert np.mean([half["score"] for half in halves]) == pytest.approx(whole)
    texts = scores["texts"]
    assert sum(texts["subsets"][name]["images"] for name in HALVES) == texts["images"]
    mean = np.mean([texts["subsets"][name]["shown"]["score"] for name in HALVES])
    assert mean == pytest.approx(texts["shown"]["score"])


def test_the_gain_by_a_member_is_of_the_same_two_blends(finished_run: MakeRun) -> None:
    """With two members the other one alone is what the blend is compared with."""
    folder = finished_run(members=2, subsets=HALVES)
    scores = scores_of(folder)
    assert set(scores["leave_one_out"]) == {"member-0", "member-1"}
    for subset in HALVES:
        files = Files(folder, subset)
        ours = files.cosines(files.predicted("ensemble"))
        for name, other in (("member-0", "member-1"), ("member-1", "member-0")):
            gain = scores["leave_one_out"][name]["subsets"][subset]
            assert is_mean(gain, files, ours - files.cosines(files.predicted(other)))


def test_images_in_no_subset_are_in_the_whole_alone(finished_run: MakeRun) -> None:
    folder = finished_run(subsets=("named", ""))
    test = scores_of(folder)["test"]
    assert (test["images"], list(test["subsets"])) == (60, ["named"])
    assert test["subsets"]["named"]["images"] == 30
    rows = load_run(folder).images
    assert [row.subset for row in rows].count("named") == 30
    assert {row.subset for row in rows} == {"named", None}


def test_without_subsets_there_is_nothing_of_them(finished_run: MakeRun) -> None:
    scores = scores_of(finished_run())
    entries = [scores["test"], scores["holdout"], scores["texts"]]
    entries += [*scores["leave_one_out"].values(), *scores["ablations"].values()]
    assert [entry["subsets"] for entry in entries] == [{}] * len(entries)


def test_a_subset_of_few_groups_has_no_interval(finished_run: MakeRun) -> None:
    """30 groups dealt to 12 subsets: 2 or 3 each."""
    names = [f"s{i:02}" for i in range(12)]
    subsets = scores_of(finished_run(subsets=names))["test"]["subsets"]
    assert list(subsets) == names
    for number, part in enumerate(subsets.values()):
        assert part["groups"] == (3 if number < 6 else 2)
        for entry in (part["ensemble"], part["paired"]["ensemble_minus_equal"]):
            assert (entry["ci95"] is None) == (part["groups"] < 3)


def test_a_subset_for_each_group_is_refused(finished_run: MakeRun) -> None:
    names = [f"s{i:03}" for i in range(101)]
    with pytest.raises(DataError, match=r"NoisyDataset.records: 101 different subsets, 's000'"):
        finished_run(images=202, subsets=names)


@pytest.mark.parametrize("name", ["two\nlines", "tab\t", "x\u202ey", "z" * 61, "\x1b[31mred"])
def test_a_name_that_no_table_can_show_is_refused(finished_run: MakeRun, name: str) -> None:
    with pytest.raises(DataError, match=r"NoisyDataset.records: names of subsets are shown in"):
        finished_run(subsets=(name, "odd"))


def damage(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(scores: dict[str, Any]) -> None:
        scores["test"]["subsets"]["even"][key] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        damage("images", 61),
        damage("best_member", "nobody"),
        lambda scores: scores["test"]["subsets"]["even"]["members"].pop("member-1"),
        lambda scores: scores["leave_one_out"]["member-1"]["subsets"].pop("even"),
        lambda scores: scores["ablations"]["per-dimension"]["subsets"].pop("even"),
    ],
)
def test_a_subset_that_cannot_be_is_refused(
    finished_run: MakeRun, change: Callable[[dict[str, Any]], object]
) -> None:
    scores = scores_of(finished_run(subsets=HALVES))
    Scores.model_validate_json(json.dumps(scores))
    change(scores)
    with pytest.raises(ValueError, match="subsets"):
        Scores.model_validate_json(json.dumps(scores))


def test_a_table_of_an_older_run_has_no_subsets(make_run: MakeRun) -> None:
    folder = make_run(subsets=HALVES)
    path = folder / "images.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows: Sequence[dict[str, str]] = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name != "subset"]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)
    assert {row.subset for row in load_run(folder).images} == {None}
