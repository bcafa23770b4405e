"""What the search block can do: options, folds, ablations, and pruning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from unprompt._data.predictions import read_predictions

ScoresOf = Callable[[Path], dict[str, Any]]
WritePair = Callable[..., Path]
RunFolder = Callable[..., Path]
Command = Callable[..., CompletedProcess[str]]

TWIN = "package:unprompt_painter/checkpoints/vision-a"


def test_options_are_searched_without_another_tower(
    scores_of: ScoresOf,
    write_pair: WritePair,
    run_folder: RunFolder,
) -> None:
    space = "space: {knn-vit-h: {neighbours: [5, 60], kernel.temperature: [2, 30, 400]}}"
    folder = run_folder(write_pair(space))
    scores = scores_of(folder)
    chosen = scores["options"]["knn-vit-h"]
    assert set(chosen) == {"neighbours", "kernel.temperature"}
    ensemble = yaml.safe_load((folder / "ensemble.yaml").read_text())
    options = ensemble["members"][0]["options"]
    assert options["neighbours"] == chosen["neighbours"]
    assert options["kernel"]["temperature"] == chosen["kernel.temperature"]
    # What was scored in the study is what the members with these options predict.
    best = scores["holdout"]["searched"]["score"]
    assert best == pytest.approx(scores["search"]["best_value"], abs=1e-5)


@pytest.mark.slow
def test_folds_predict_every_image_with_a_member_that_has_not_learned_it(
    scores_of: ScoresOf,
    write_pair: WritePair,
    run_folder: RunFolder,
) -> None:
    folder = run_folder(write_pair("folds: 3"))
    scores = scores_of(folder)
    assert scores["train"]["images"] == scores["holdout"]["images"] == 240 - 48
    rows = read_predictions(folder / "predictions" / "clip-l14.holdout.parquet")
    assert len(rows.ids) == 240 - 48
    # A head that had seen its images would be far better on them than on test.
    member = {split: scores[split]["members"]["clip-l14"]["score"] for split in ("holdout", "test")}
    assert member["holdout"] == pytest.approx(member["test"], abs=0.06)
    assert scores["leak"]["train_holdout_max_cosine"] is None


def test_ablations_are_scored_beside_the_blend(
    scores_of: ScoresOf,
    write_pair: WritePair,
    run_folder: RunFolder,
) -> None:
    folder = run_folder(write_pair("ablations: [per-dimension, ridge-stack]"))
    scores = scores_of(folder)
    blend = scores["test"]["ensemble"]["score"]
    assert list(scores["ablations"]) == ["per-dimension", "ridge-stack"]
    for entry in scores["ablations"].values():
        assert entry["versus"]["score"] == pytest.approx(entry["score"] - blend)


def test_prune_leaves_out_a_member_that_does_not_help(
    scores_of: ScoresOf,
    write_pair: WritePair,
    run_folder: RunFolder,
) -> None:
    path = write_pair()
    copy = "    - {plugin: clip-l14, name: twin, options: {backbone: {folder: "
    text = path.read_text().replace("search:", f"{copy}{TWIN}}}}}}}\nsearch:")
    path.write_text(text)
    folder = run_folder(path, "--drop-members")
    scores = scores_of(folder)
    members = yaml.safe_load((folder / "ensemble.yaml").read_text())["members"]
    dropped = scores["search"]["dropped"]
    assert len({"twin", "clip-l14"} & {*dropped}) == 1  # they are the same; one is enough
    assert [member["name"] for member in members] == [
        name for name in ("knn-vit-h", "clip-l14", "twin") if name not in dropped
    ]
