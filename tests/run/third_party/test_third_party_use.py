"""A plugin of another distribution is listed, checked, used, and its hooks are called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np

from unprompt._data.predictions import read_predictions

HookCalls = Callable[[], list[list[object]]]
Command = Callable[..., CompletedProcess[str]]

MIXED = """\
name: mixed
data: {plugin: painter, options: {seed: 9, images: 60, size: 32}}
ensemble:
  members:
  - plugin: knn-vit-h
    options: {backbone: {folder: package:unprompt_painter/checkpoints/clip-a}}
  - plugin: grey
search: {trials: 6}
score: {wordings: 2}
"""


def test_it_is_listed(installed: Path, unprompt: Command) -> None:
    rows = {row["name"]: row for row in json.loads(unprompt("plugins", "--json").stdout)}
    assert rows["grey"] == {
        "name": "grey",
        "module": "grey_plugin",
        "distribution": "unprompt-grey",
        "version": "2.5",
        "path": None,
        "write": "grey",
        "usable": True,
    }


def test_check_loads_it_and_says_what_it_offers(installed: Path, unprompt: Command) -> None:
    done = unprompt("plugins", "--check", "--json")
    assert done.returncode == 0, done.stdout
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["grey"]["offers"] == ["predictor", "observer"]
    assert rows["grey"]["summary"] == "mean brightness"
    assert rows["painter"]["offers"] == ["dataset"]
    assert {row["error"] for row in rows.values()} == {None}


def test_the_target_may_be_in_the_plugins_own_module(
    installed_as_one_module: Path, unprompt: Command, solo: Path
) -> None:
    done = unprompt("run", solo)
    assert done.returncode == 0, done.stderr
    scores = json.loads((Path(done.stdout.splitlines()[-1]) / "scores.json").read_text())
    assert scores["weights"] == {"grim": 1.0}
    assert scores["test"]["ensemble"]["score"] == scores["test"]["members"]["grim"]["score"]


def test_a_member_beside_a_built_in_one_and_its_hooks(
    installed: Path, log: Path, unprompt: Command, tmp_path: Path, hook_calls: HookCalls
) -> None:
    (tmp_path / "mixed.yaml").write_text(MIXED)
    done = unprompt("run", tmp_path / "mixed.yaml")
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.splitlines()[-1])
    scores = json.loads((folder / "scores.json").read_text())
    assert set(scores["weights"]) == {"knn-vit-h", "grey"}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["plugins"]["grey"] == "unprompt-grey 2.5"
    assert (folder / "artifacts" / "grey" / "mean.npy").is_file()
    assert read_predictions(folder / "predictions" / "grey.test.parquet").dim == 384
    size = {split: scores[split]["images"] for split in ("holdout", "test")}
    predicted = [
        ["mixed", True, "predicted", member, split, size[split], 384]
        for member in ("knn-vit-h", "grey")
        for split in ("holdout", "test")
    ]
    assert hook_calls() == [
        ["mixed", True, "started", ["experiment.yaml"], "knn-vit-h"],
        *predicted,
        ["mixed", True, "finished", str(folder), "mixed", ["grey", "knn-vit-h"]],
    ]
    # Once more, now from the cache: hooks are called all the same.
    log.unlink()
    assert unprompt("run", tmp_path / "mixed.yaml").returncode == 0
    assert hook_calls()[1:-1] == predicted


def test_an_observer_need_not_be_a_member(
    installed: Path, unprompt: Command, solo: Path, hook_calls: HookCalls
) -> None:
    solo.write_text(solo.read_text() + "observers: [grey]\n")
    folder = "package:unprompt_painter/checkpoints/clip-a"
    options = f"{{backbone: {{folder: '{folder}'}}}}"
    members = f"ensemble.members=[{{plugin: knn-vit-h, options: {options}}}]"
    done = unprompt("run", solo, "--set", members)
    assert done.returncode == 0, done.stderr
    assert [call[2] for call in hook_calls()] == ["started", "predicted", "predicted", "finished"]


def test_another_process_finds_it_too(installed: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from unprompt._cli.app import main; main()", "plugins"],
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("grey "))
    assert line.split() == ["grey", "unprompt-grey", "2.5", "grey_plugin"]


def test_its_options_decide_its_rows(
    installed: Path, unprompt: Command, tmp_path: Path, solo: Path
) -> None:
    rows = {}
    for scale in ("1.0", "5.0"):
        output = tmp_path / f"run-{scale}"
        change = f"ensemble.members.grim.options.scale={scale}"
        assert unprompt("run", solo, "--set", change, "--output", output).returncode == 0
        rows[scale] = read_predictions(output / "predictions" / "grim.test.parquet")
    assert rows["1.0"].ids == rows["5.0"].ids
    assert not np.array_equal(rows["1.0"].rows, rows["5.0"].rows)
