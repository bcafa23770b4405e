"""Mistakes in an experiment's search block are one line, and end the command with exit code 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image

WritePair = Callable[..., Path]
Command = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize(
    ("search", "line"),
    [
        ("trials: 0", "search.trials: should be at least 1, got 0"),
        ("bounds: {knn: [0, 1]}", "search.bounds.knn: is no member of the ensemble"),
        ("space: {knn-vit-x: {neighbours: [1]}}", "search.space.knn-vit-x: is no member of"),
        ("space: {knn-vit-h: {neighbors: [1]}}", "unknown key; did you mean 'neighbours'?"),
        ("space: {knn-vit-h: {neighbours: [0]}}", "should be at least 1, got 0"),
        ("bounds: {knn-vit-h: [0.5, 0.2]}", "`bounds` of 'knn-vit-h' should be [low, high]"),
        ("bounds: {knn-vit-h: [0, 1]}, weights: simplex", "`bounds` belong to `weights: free`"),
        ("folds: 1", "`folds` should be 0, or 2 and more"),
        ("sampler: magic", "should be one of"),
        ("timeout: 0", "should be more than 0, got 0"),
    ],
)
def test_a_mistake_in_the_block_is_one_line(
    unprompt: Command, tmp_path: Path, search: str, line: str, write_pair: WritePair
) -> None:
    path = write_pair(search)
    if "trials" in search:
        path.write_text(path.read_text().replace("trials: 12, ", ""))
    done = unprompt("run", path, "--quiet")
    assert done.returncode == 2
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"{path}:")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("space", "line"),
    [
        ("{clip-l14: {evidence: [1, 2]}}", "member 'clip-l14': this family has no options"),
        ("{knn-vit-h: {evidence: [1, 2]}}", "only `neighbours` and `kernel` can be searched"),
        ("{knn-vit-h: {kernel.fit: [0, 9]}}", "`kernel.fit` has to be 0"),
    ],
)
def test_options_that_need_a_tower_are_refused(
    unprompt: Command, space: str, line: str, write_pair: WritePair
) -> None:
    done = unprompt("run", write_pair(f"space: {space}"), "--quiet")
    assert done.returncode == 2
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_folds_that_are_more_than_groups_are_refused(
    unprompt: Command, write_pair: WritePair
) -> None:
    done = unprompt("run", write_pair("folds: 500"), "--quiet")
    assert done.returncode == 2
    assert "search.folds: 500 folds need as many groups" in done.stderr


def test_a_holdout_of_one_group_is_refused(
    unprompt: Command, tmp_path: Path, write_pair: WritePair
) -> None:
    rows = ["image,prompt,group,split"]
    for i in range(24):
        split = ("train", "holdout", "test")[i % 3]
        group = "h" if split == "holdout" else f"g{i}"
        rows.append(f"p{i}.png,a red fox number {i},{group},{split}")
        Image.new("RGB", (32, 32), (i * 9, 80, 40)).save(tmp_path / f"p{i}.png")
    (tmp_path / "prompts.csv").write_text("\n".join(rows) + "\n")
    path = write_pair()
    text = path.read_text()
    start, end = text.index("data:"), text.index("ensemble:")
    data = "data:\n  plugin: pairs\n  options: {table: prompts.csv, images: .}\n"
    path.write_text(text[:start] + data + text[end:])
    done = unprompt("run", path, "--quiet")
    assert done.returncode == 2, done.stderr
    assert "the holdout's 8 images are one group" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_ensemble_file_with_an_unknown_plugin_is_one_line(
    unprompt: Command, small_folder: Path, tmp_path: Path
) -> None:
    text = (
        (small_folder / "ensemble.yaml").read_text().replace("plugin: clip-l14\n", "plugin: x1\n")
    )
    path = tmp_path / "ensemble.yaml"
    path.write_text(text)
    image = tmp_path / "p.png"
    Image.new("RGB", (32, 32)).save(image)
    done = unprompt("predict", path, image, "-o", tmp_path / "out.jsonl", "--quiet")
    assert done.returncode == 2
    assert "'x1'" in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"{path}:")
