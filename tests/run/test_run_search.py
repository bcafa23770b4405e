"""What a run does with its search block: options, folds, pruning, ablations, and continuing."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from unprompt._data.predictions import read_predictions
from unprompt._search.storages import open_storage

Command = Callable[..., CompletedProcess[str]]

TWO = """\
name: two
data:
  plugin: painter
  options: {seed: 7, images: 240, size: 64}
  split: {train: 0.6, holdout: 0.2, test: 0.2, seed: 0}
ensemble:
  name: pair
  members:
    - plugin: knn-vit-h
      options:
        backbone: {folder: package:unprompt_painter/checkpoints/clip-a}
        neighbours: 20
    - plugin: clip-l14
      options: {backbone: {folder: package:unprompt_painter/checkpoints/vision-a}}
search: {trials: 12, SEARCH}
score: {wordings: 2, bootstrap: 100}
"""


def write(folder: Path, search: str = "seed: 0", name: str = "two.yaml") -> Path:
    path = folder / name
    path.write_text(TWO.replace("SEARCH", search))
    return path


def run(unprompt: Command, path: Path, *more: str) -> Path:
    done = unprompt("run", path, *more, "--quiet")
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[-1])


def scores_of(folder: Path) -> dict[str, Any]:
    scores: dict[str, Any] = json.loads((folder / "scores.json").read_text())
    return scores


def test_leave_one_out_optimism_and_history_are_in_the_scores(small_folder: Path) -> None:
    scores = scores_of(small_folder)
    blend = {split: scores[split]["ensemble"]["score"] for split in ("holdout", "test")}
    assert scores["optimism"]["score"] == pytest.approx(blend["holdout"] - blend["test"])
    used = {name for name, weight in scores["weights"].items() if weight > 0}
    assert set(scores["leave_one_out"]) == (used if len(used) > 1 else set())
    for gain in scores["leave_one_out"].values():
        low = gain["holdout"]["ci95"][0]
        assert gain["flagged"] == (low <= 1e-9)
    assert len(scores["history"]["values"]) == scores["search"]["trials"] == 20
    assert scores["history"]["best"][-1] == scores["search"]["best_value"]
    assert scores["search"]["polish"]["score"] >= scores["search"]["best_value"]
    assert scores["holdout"]["ensemble"]["score"] == pytest.approx(
        scores["search"]["polish"]["score"], abs=1e-6
    )


def test_every_test_image_is_in_the_table(small_folder: Path) -> None:
    with (small_folder / "images.csv").open(newline="") as file:
        rows = {row["image_id"]: row for row in csv.DictReader(file)}
    scores = scores_of(small_folder)
    assert len(rows) == scores["test"]["images"]
    blend = read_predictions(small_folder / "predictions" / "ensemble.test.parquet")
    assert set(rows) == set(blend.ids)
    mean = np.mean([float(row["cosine"]) for row in rows.values()])
    assert mean == pytest.approx(scores["test"]["ensemble"]["score"], abs=1e-6)
    for name, member in scores["test"]["members"].items():
        own = np.mean([float(row[name]) for row in rows.values()])
        assert own == pytest.approx(member["score"], abs=1e-6)
    assert len({row["group"] for row in rows.values()}) == scores["test"]["groups"]


def test_best_and_worst_images_come_with_their_evidence(small_folder: Path) -> None:
    cases = json.loads((small_folder / "examples.json").read_text())
    kinds = [case["kind"] for case in cases]
    assert kinds == ["best"] * 6 + ["worst"] * 6
    assert len({case["image_id"] for case in cases}) == 12
    cosines = [case["cosine"] for case in cases]
    assert cosines[:6] == sorted(cosines[:6], reverse=True)
    assert cosines[6:] == sorted(cosines[6:])
    assert min(cosines[:6]) >= max(cosines[6:])
    for case in cases:
        with Image.open(small_folder / case["image"]) as image:
            assert max(image.size) <= 256
        assert case["prompt"] and case["predicted"]
        assert all(case["evidence"].values())
    with Image.open(small_folder / "contact.png") as sheet:
        assert sheet.size == (6 * 264 + 8, 2 * 264 + 8)


def test_the_report_is_written(small_folder: Path) -> None:
    page = (small_folder / "report.html").read_text(encoding="utf-8")
    scores = scores_of(small_folder)
    assert f"{scores['test']['ensemble']['score']:.4f}" in page
    assert "small" in page


def test_the_study_carries_a_note_and_artifacts(small_folder: Path) -> None:
    import optuna
    from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta

    storage = open_storage(small_folder / "study.journal")
    study = optuna.load_study(study_name="small", storage=storage)
    store = FileSystemArtifactStore(str(small_folder / "artifacts-study"))
    found = {meta.filename: meta for meta in get_all_artifact_meta(study)}
    assert set(found) == {"ensemble.yaml", "images.csv", "contact.png"}
    for name, meta in found.items():
        with store.open_reader(meta.artifact_id) as file:
            assert file.read() == (small_folder / name).read_bytes()
    attributes = storage.get_study_system_attrs(study._study_id)
    notes = [str(text) for key, text in attributes.items() if "note_str" in key]
    assert "# small" in "".join(notes)
    assert "unprompt run" in "".join(notes)


def test_the_study_carries_plots_that_a_dashboard_reads(small_folder: Path) -> None:
    plots = pytest.importorskip("optuna_dashboard._custom_plot_data")
    import optuna

    storage = open_storage(small_folder / "study.journal")
    study = optuna.load_study(study_name="small", storage=storage)
    attributes = storage.get_study_system_attrs(study._study_id)
    found = {k: json.loads(text) for k, text in plots.get_plotly_graph_objects(attributes).items()}
    scores = scores_of(small_folder)
    assert "scores" in found
    assert ("leave-one-out" in found) == bool(scores["leave_one_out"])
    dots = found["scores"]["data"][0]
    shown = dict(zip(dots["y"], dots["x"], strict=True))
    assert shown["searched weights"] == scores["test"]["ensemble"]["score"]
    for name, member in scores["test"]["members"].items():
        assert shown[name] == member["score"]


def test_options_are_searched_without_another_tower(unprompt: Command, tmp_path: Path) -> None:
    space = "space: {knn-vit-h: {neighbours: [5, 60], kernel.temperature: [2, 30, 400]}}"
    folder = run(unprompt, write(tmp_path, space))
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
    unprompt: Command, tmp_path: Path, search: str, line: str
) -> None:
    text = TWO.replace("trials: 12, ", "") if "trials" in search else TWO
    path = tmp_path / "two.yaml"
    path.write_text(text.replace("SEARCH", search))
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
    unprompt: Command, tmp_path: Path, space: str, line: str
) -> None:
    done = unprompt("run", write(tmp_path, f"space: {space}"), "--quiet")
    assert done.returncode == 2
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_folds_predict_every_learnable_image_unseen(unprompt: Command, tmp_path: Path) -> None:
    folder = run(unprompt, write(tmp_path, "folds: 3"))
    scores = scores_of(folder)
    assert scores["train"]["images"] == scores["holdout"]["images"] == 240 - 48
    rows = read_predictions(folder / "predictions" / "clip-l14.holdout.parquet")
    assert len(rows.ids) == 240 - 48
    # A head that had seen its images would be far better on them than on test.
    member = {split: scores[split]["members"]["clip-l14"]["score"] for split in ("holdout", "test")}
    assert member["holdout"] == pytest.approx(member["test"], abs=0.06)
    assert scores["leak"]["train_holdout_max_cosine"] is None


def test_folds_that_are_more_than_groups_are_refused(unprompt: Command, tmp_path: Path) -> None:
    done = unprompt("run", write(tmp_path, "folds: 500"), "--quiet")
    assert done.returncode == 2
    assert "search.folds: 500 folds need as many groups" in done.stderr


def test_a_holdout_of_one_group_is_refused(unprompt: Command, tmp_path: Path) -> None:
    rows = ["image,prompt,group,split"]
    for i in range(24):
        split = ("train", "holdout", "test")[i % 3]
        group = "h" if split == "holdout" else f"g{i}"
        rows.append(f"p{i}.png,a red fox number {i},{group},{split}")
        Image.new("RGB", (32, 32), (i * 9, 80, 40)).save(tmp_path / f"p{i}.png")
    (tmp_path / "prompts.csv").write_text("\n".join(rows) + "\n")
    text = TWO.replace("SEARCH", "seed: 0")
    start, end = text.index("data:"), text.index("ensemble:")
    data = "data:\n  plugin: pairs\n  options: {table: prompts.csv, images: .}\n"
    path = tmp_path / "own.yaml"
    path.write_text(text[:start] + data + text[end:])
    done = unprompt("run", path, "--quiet")
    assert done.returncode == 2, done.stderr
    assert "the holdout's 8 images are one group" in done.stderr
    assert done.stderr.count("\n") == 1


def test_ablations_are_scored_beside_the_blend(unprompt: Command, tmp_path: Path) -> None:
    folder = run(unprompt, write(tmp_path, "ablations: [per-dimension, ridge-stack]"))
    scores = scores_of(folder)
    blend = scores["test"]["ensemble"]["score"]
    assert list(scores["ablations"]) == ["per-dimension", "ridge-stack"]
    for entry in scores["ablations"].values():
        assert entry["versus"]["score"] == pytest.approx(entry["score"] - blend)


def test_drop_members_leaves_out_a_member_that_does_not_help(
    unprompt: Command, tmp_path: Path
) -> None:
    path = write(tmp_path)
    copy = "    - {plugin: clip-l14, name: twin, options: {backbone: {folder: "
    text = path.read_text().replace("search:", f"{copy}{TWIN}}}}}}}\nsearch:")
    path.write_text(text)
    folder = run(unprompt, path, "--drop-members")
    scores = scores_of(folder)
    members = yaml.safe_load((folder / "ensemble.yaml").read_text())["members"]
    dropped = scores["search"]["dropped"]
    assert dropped in (["twin"], ["clip-l14"])  # they are the same; one is enough
    assert [member["name"] for member in members] == [
        name for name in ("knn-vit-h", "clip-l14", "twin") if name not in dropped
    ]


TWIN = "package:unprompt_painter/checkpoints/vision-a"


def test_search_alone_fills_a_study_that_a_run_then_reads(
    unprompt: Command, tmp_path: Path
) -> None:
    import optuna

    storage = tmp_path / "shared.journal"
    path = write(tmp_path, "storage: shared.journal, study: pair")
    done = unprompt("search", path, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "study pair: 12 finished trials" in done.stdout
    assert done.stdout.splitlines()[-1] == str(storage)
    again = unprompt("search", path, "--quiet", "--workers", "2", "--set", "search.trials=20")
    assert again.returncode == 0, again.stderr
    assert "study pair: 20 finished trials" in again.stdout
    folder = run(unprompt, path, "--set", "search.trials=20")
    scores = scores_of(folder)
    assert scores["search"]["trials"] == 20
    assert not (folder / "study.journal").exists()
    best = optuna.load_study(study_name="pair", storage=open_storage(storage)).best_value
    assert scores["search"]["best_value"] == best


def test_a_study_on_changed_predictions_is_refused(unprompt: Command, tmp_path: Path) -> None:
    path = write(tmp_path, "storage: shared.journal, study: pair")
    assert unprompt("search", path, "--quiet").returncode == 0
    changed = write(tmp_path, "storage: shared.journal, study: pair", "changed.yaml")
    changed.write_text(changed.read_text().replace("neighbours: 20", "neighbours: 21"))
    done = unprompt("run", changed, "--quiet")
    assert done.returncode == 2
    assert "made with other predictions of knn-vit-h: its trials cannot be" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_a_host_with_another_batch_size_joins_a_study(unprompt: Command, tmp_path: Path) -> None:
    path = write(tmp_path, "storage: shared.journal, study: pair")
    for size in (64, 16, 7):
        # A cache of its own, as on another host: the batch size is not part of a key.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / f"cache-{size}"))
            done = unprompt("search", path, "--quiet", "--set", f"runtime.batch_size={size}")
        assert done.returncode == 0, done.stderr
        assert len(list((tmp_path / f"cache-{size}").rglob("*.safetensors"))) > 0


def test_a_weights_file_with_an_unknown_member_is_one_line(
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
