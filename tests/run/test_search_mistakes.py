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
        ("{clip-l14: {evidence: [1, 2]}}", "clip-l14.KEY: this family has no options that a"),
        ("{knn-vit-h: {evidence: [1, 2]}}", "knn-vit-h.KEY: only `neighbours` and `kernel` can"),
        ("{knn-vit-h: {kernel.fit: [0, 9]}}", "knn-vit-h.KEY: `kernel.fit` has to be 0 where"),
        ("{knn-vit-h: {neighbours: [5, x]}}", "knn-vit-h.KEY.1: should be a whole number, got"),
        ("{knn-vit-h: {neighbours: [5, 5]}}", "knn-vit-h.KEY.1: is there twice: 5"),
        ("{knn-vit-h: {kernel.temperature: [-1]}}", "knn-vit-h.KEY.0: should be more than 0"),
        ("{knn-vit-h: {kernel.temperature: [.nan]}}", "knn-vit-h.KEY.0: should be a finite"),
        ("{knn-vit-h: {neighbours.x: [1]}}", "knn-vit-h.KEY.0: neighbours: should be a whole"),
        (
            "{knn-vit-h: {kernel.name: [softmax], kernel: [{name: power}]}}",
            "knn-vit-h.kernel.name: is a part of 'kernel', which is searched, too",
        ),
    ],
)
def test_a_mistake_in_the_space_is_found_where_the_file_is_read(
    unprompt: Command, space: str, line: str, write_pair: WritePair
) -> None:
    path = write_pair(f"space: {space}")
    option = space.split(": {", 1)[1].split(":")[0]
    for command in (["config", "validate", path], ["search", path], ["run", path]):
        done = unprompt(*command)
        assert done.returncode == 2
        (problem,) = done.stderr.splitlines()
        assert problem.startswith(f"{path}:15:")
        assert f": search.space.{line.replace('KEY', option)}" in problem
        assert done.stdout == ""


@pytest.mark.parametrize(
    ("search", "line"),
    [
        (
            "space: {knn-vit-h: {neighbours: [NUMBERS], evidence: [NUMBERS]}}",
            "search.space.knn-vit-h: has 1000000 combinations of values, and all members may have",
        ),
        (
            "sampler: grid, space: {knn-vit-h: {neighbours: [HALF], kernel.temperature: [HALF]}}",
            "search.space.knn-vit-h: has 250000 combinations",
        ),
        ("workers: 100000", "search.workers: should be at most 256, got 100000"),
        ("workers: -1", "search.workers: should be at least 1, got -1"),
    ],
)
def test_what_would_never_end_is_refused_before_any_work(
    unprompt: Command, search: str, line: str, write_pair: WritePair
) -> None:
    numbers = ", ".join(map(str, range(1, 1001)))
    half = ", ".join(map(str, range(1, 501)))
    path = write_pair(search.replace("NUMBERS", numbers).replace("HALF", half))
    done = unprompt("search", path)
    assert done.returncode == 2
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"{path}:15:")


def test_a_number_of_trials_that_no_disk_holds_is_refused(
    unprompt: Command, write_pair: WritePair
) -> None:
    path = write_pair()
    for number in ("1000001", "1" + "0" * 30):
        done = unprompt("search", path, "--set", f"search.trials={number}")
        assert done.returncode == 2
        assert "search.trials: should be at most 1000000, got 1" in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_grid_of_too_many_members_is_refused(unprompt: Command, write_pair: WritePair) -> None:
    path = write_pair("sampler: grid")
    copies = "".join(
        f"    - {{plugin: clip-l14, name: m{i}, options: {{backbone: {{folder: x}}}}}}\n"
        for i in range(18)
    )
    path.write_text(path.read_text().replace("search:", f"{copies}search:"))
    done = unprompt("search", path)
    assert done.returncode == 2
    assert "search.sampler: a grid of at least 2 weights for each member has 1048576" in done.stderr
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
