"""What a run leaves behind: everything that is needed to read, repeat and use it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import yaml

from unprompt._data.predictions import read_predictions
from unprompt._files.cache import Cache
from unprompt._files.hashing import content_hash
from unprompt._registry.loading import load_ensemble
from unprompt._registry.plugins import Registry

ScoresOf = Callable[[Path], dict[str, Any]]
Numbers = Callable[[Any], list[float]]
Command = Callable[..., CompletedProcess[str]]
MEMBERS = ("knn-vit-g", "knn-vit-h", "clip-l14", "clip-l16-384", "clip-blip")


def folder_of(done: CompletedProcess[str]) -> Path:
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


def cached() -> dict[Path, int]:
    """Every folder of the cache with its time of change."""
    folders = [path for path in Cache.default().root.glob("*/*") if path.is_dir()]
    return {path: path.stat().st_mtime_ns for path in folders}


@dataclass(frozen=True)
class Again:
    """A second run, and the cache before and after it."""

    done: CompletedProcess[str]
    before: dict[Path, int]
    after: dict[Path, int]


@pytest.fixture(scope="module")
def again(unprompt: Command, small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Again:
    """The first run's own ``experiment.yaml``, run from another place."""
    copy = tmp_path_factory.mktemp("again") / "copy.yaml"
    copy.write_text((small_folder / "experiment.yaml").read_text())
    before = cached()
    done = unprompt("run", copy)
    return Again(done, before, cached())


def test_the_last_line_on_stdout_is_the_folder(
    small_run: CompletedProcess[str], small_folder: Path, small_experiment: Path
) -> None:
    assert small_folder.is_absolute()
    assert small_folder.parent == small_experiment.parent / "runs" / "small"
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{8}", small_folder.name)
    assert [path.name for path in small_folder.parent.iterdir()] == [small_folder.name]


def test_stdout_has_no_progress(small_run: CompletedProcess[str]) -> None:
    assert "\r" not in small_run.stdout
    assert "\x1b" not in small_run.stdout
    assert "%|" not in small_run.stdout
    assert small_run.stderr == ""


def test_the_files_of_a_run(small_folder: Path) -> None:
    names = {path.relative_to(small_folder).as_posix() for path in small_folder.rglob("*.*")}
    expected = {"experiment.yaml", "manifest.json", "scores.json", "study.journal", "ensemble.yaml"}
    expected |= {"report.html", "images.csv", "examples.json", "contact.png", "checksums.json"}
    for split in ("holdout", "test"):
        expected |= {f"predictions/{name}.{split}.parquet" for name in (*MEMBERS, "ensemble")}
    assert expected <= names
    assert {name.split("/")[0] for name in names - expected} == {"artifacts", "images"}
    assert {path.name for path in (small_folder / "artifacts").iterdir()} == set(MEMBERS)


def test_experiment_yaml_is_resolved(small_folder: Path, unprompt: Command) -> None:
    path = small_folder / "experiment.yaml"
    content = yaml.safe_load(path.read_text())
    assert "include:" not in path.read_text()
    assert [member["name"] for member in content["ensemble"]["members"]] == list(MEMBERS)
    assert content["data"]["split"]["group_cosine"] == 0.7
    assert content["runtime"]["device"] == "cpu"
    assert yaml.safe_load(unprompt("config", "show", path).stdout) == content


def test_experiment_yaml_gives_the_same_scores(
    again: Again, small_folder: Path, scores_of: ScoresOf, numbers: Numbers
) -> None:
    first, second = scores_of(small_folder), scores_of(folder_of(again.done))
    assert folder_of(again.done) != small_folder
    np.testing.assert_allclose(numbers(second), numbers(first), rtol=0, atol=1e-9)
    assert second == first


def test_a_second_run_computes_nothing_again(again: Again) -> None:
    assert folder_of(again.done)
    assert {path.parent.name for path in again.before} >= {"artifacts", "predictions", "texts"}
    assert again.after == again.before


def test_set_overrides_the_file(
    unprompt: Command, small_experiment: Path, tmp_path: Path, scores_of: ScoresOf
) -> None:
    output = tmp_path / "here" / "run"
    words = ["--set", "search.trials=7", "--set", "name=other", "--output", output]
    assert folder_of(unprompt("run", small_experiment, *words)) == output
    scores = scores_of(output)
    assert (scores["experiment"], scores["search"]["trials"]) == ("other", 7)
    content = yaml.safe_load((output / "experiment.yaml").read_text())
    assert (content["name"], content["search"]["trials"]) == ("other", 7)


def test_manifest(small_folder: Path) -> None:
    manifest = json.loads((small_folder / "manifest.json").read_text())
    experiment = yaml.safe_load((small_folder / "experiment.yaml").read_text())
    assert manifest["experiment_hash"] == content_hash(experiment)
    assert small_folder.name.endswith(manifest["experiment_hash"][:8])
    assert manifest["command"][1] == "run"
    assert set(manifest["members"]) == set(MEMBERS)
    assert set(manifest["plugins"]) == {"painter", "minilm", *MEMBERS}
    assert {"python", "unprompt", "torch", "numpy", "optuna"} <= set(manifest["versions"])
    assert manifest["hardware"]["peak_memory_bytes"] > 1e8
    stages = set(manifest["seconds"])
    assert {"dataset", "targets", "splits", "search", "scores"} <= stages
    assert {f"{what} {name}" for what in ("prepare", "predict") for name in MEMBERS} <= stages


@pytest.mark.parametrize("split", ["holdout", "test"])
def test_scores(split: str, small_folder: Path, scores_of: ScoresOf) -> None:
    scores = scores_of(small_folder)[split]
    assert set(scores["members"]) == set(MEMBERS)
    assert scores["images"] == 48
    assert 0 < scores["groups"] <= 48
    for entry in (*scores["members"].values(), scores["ensemble"], scores["equal"]):
        low, high = entry["ci95"]
        assert -1 <= low <= entry["score"] <= high <= 1
    floor, oracle = scores["floor"], scores["oracle"]
    assert -1 < floor < oracle <= 1
    gap = (scores["ensemble"]["score"] - floor) / (oracle - floor)
    assert scores["gap_closed"] == pytest.approx(gap, abs=1e-9)
    best = max(MEMBERS, key=lambda name: float(scores["members"][name]["score"]))
    assert scores["best_member"] == best
    paired = scores["paired"]["ensemble_minus_equal"]["score"]
    assert paired == pytest.approx(scores["ensemble"]["score"] - scores["equal"]["score"], abs=1e-9)


def test_scores_are_those_of_the_predictions(
    small_folder: Path, unprompt: Command, tmp_path: Path, scores_of: ScoresOf
) -> None:
    from unprompt_painter.painter import Painter, PainterOptions

    records = Painter(PainterOptions(seed=7, images=240, size=64)).records()
    prompts = {record.image_id: record.prompt for record in records}
    scores = scores_of(small_folder)["test"]
    table = tmp_path / "prompts.jsonl"
    for name in (*MEMBERS, "ensemble"):
        path = small_folder / "predictions" / f"{name}.test.parquet"
        ids = read_predictions(path).ids
        lines = [json.dumps({"image_id": name, "prompt": prompts[name]}) for name in ids]
        table.write_text("\n".join(lines))
        done = unprompt("score", path, table)
        entry = scores["ensemble"] if name == "ensemble" else scores["members"][name]
        assert float(done.stdout.split()[0]) == pytest.approx(entry["score"], abs=2e-6)


def test_the_searched_weights_are_not_worse_on_the_holdout(
    small_folder: Path, scores_of: ScoresOf
) -> None:
    scores = scores_of(small_folder)["holdout"]
    others = [scores["equal"]["score"], *(member["score"] for member in scores["members"].values())]
    assert scores["ensemble"]["score"] >= max(others) - 1e-6  # weights are rounded to 6 digits


def test_ensemble_yaml_reproduces_the_predictions(
    small_folder: Path, unprompt: Command, tmp_path: Path, scores_of: ScoresOf
) -> None:
    from unprompt_painter.painter import Painter, PainterOptions

    ensemble = load_ensemble(small_folder / "ensemble.yaml", Registry())
    weights = scores_of(small_folder)["weights"]
    assert {member.name: member.weight for member in ensemble.members} == weights
    assert max(weights.values()) == 1
    for member in ensemble.members:
        assert member.artifact == small_folder / "artifacts" / member.name
    images = Painter(PainterOptions(seed=7, images=240, size=64)).images()
    expected = read_predictions(small_folder / "predictions" / "ensemble.test.parquet")
    folder = tmp_path / "images"
    folder.mkdir()
    for name in expected.ids:
        images.open(name).save(folder / f"{name}.png")
    for ensemble_path in (small_folder, small_folder / "ensemble.yaml"):
        output = tmp_path / "out.parquet"
        done = unprompt("predict", ensemble_path, folder, "--output", output, "--offline")
        assert done.returncode == 0, done.stderr
        predicted = read_predictions(output).align(expected.ids)
        np.testing.assert_allclose(predicted.rows, expected.rows, atol=1e-5)


def test_the_study_can_be_loaded(small_folder: Path, scores_of: ScoresOf) -> None:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(small_folder / "study.journal")))
    study = optuna.load_study(study_name="small", storage=storage)
    scores = scores_of(small_folder)
    assert len(study.trials) == scores["search"]["trials"] == 20
    assert study.best_trial.number == scores["search"]["best_trial"]
    assert all(set(t.params) == {f"weight.{name}" for name in MEMBERS} for t in study.trials)
    assert study.trials[0].params == {f"weight.{name}": 1.0 for name in MEMBERS}
    assert study.trials[0].value == pytest.approx(scores["holdout"]["equal"]["score"], abs=1e-6)
    best = study.best_trial.params
    largest = max(best.values())
    for name, weight in scores["searched_weights"].items():
        assert weight == pytest.approx(best[f"weight.{name}"] / largest, abs=1e-6)


def test_the_table_says_what_scores_json_says(
    small_run: CompletedProcess[str], small_folder: Path, scores_of: ScoresOf
) -> None:
    scores = scores_of(small_folder)
    lines = small_run.stdout.splitlines()
    assert lines[0] == "small: 144 train, 48 holdout, 48 test images"
    leak = scores["leak"]["train_test_max_cosine"]
    assert f"has cosine {leak:.4f}" in lines[1]
    rows = {
        name: (scores["holdout"]["members"][name], scores["test"]["members"][name])
        for name in MEMBERS
    }
    rows["equal weights"] = (scores["holdout"]["equal"], scores["test"]["equal"])
    rows["searched weights"] = (scores["holdout"]["ensemble"], scores["test"]["ensemble"])
    for label, (holdout, test) in rows.items():
        (line,) = (line for line in lines if line.startswith(label))
        low, high = test["ci95"]
        wanted = f"{holdout['score']:.4f} {test['score']:.4f} [{low:.4f}, {high:.4f}]"
        assert wanted in " ".join(line.split())
        gap = test["gap_closed"]
        assert f"{gap['score']:.1%} [{gap['ci95'][0]:.1%}, {gap['ci95'][1]:.1%}]" in line
        if label in MEMBERS:
            assert f" {scores['weights'][label]:.3f} " in line
    for label in ("floor", "oracle"):
        (line,) = (line for line in lines if line.startswith(label))
        wanted_words = [f"{scores[split][label]:.4f}" for split in ("holdout", "test")]
        assert line.split()[1:3] == wanted_words
    paired = scores["test"]["paired"]["ensemble_minus_equal"]["score"]
    assert any(line.startswith(f"searched - equal weights: {paired:+.4f} ") for line in lines)
