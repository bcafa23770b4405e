"""The Python API: ensembles on images of every kind, and typed runs, studies and scores."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

import numpy as np
import pytest
from PIL import Image

import unprompt
from unprompt.testing import HashedWords

if TYPE_CHECKING:
    from tests.conftest import MakeRun

EMBEDDED = Path(__file__).parents[2] / "ensembles" / "embedded.yaml"


@pytest.fixture
def run_folder(make_run: MakeRun) -> Path:
    return make_run(members=2)


@pytest.fixture
def drawn_images(run_folder: Path) -> dict[str, Image.Image]:
    """Test images of the run, as its dataset draws them."""
    drawn = import_module("noisy_plugin").Drawn  # on the path while runs are made

    prompts = {row.image_id: row.prompt for row in unprompt.load_run(run_folder).images[:4]}
    return {name: drawn(prompts).open(name) for name in prompts}


# Runs


def test_a_run_is_read_with_typed_scores_and_predictions(run_folder: Path) -> None:
    run = unprompt.load_run(run_folder)
    content = json.loads((run_folder / "scores.json").read_text())
    assert run.scores.test.ensemble.score == content["test"]["ensemble"]["score"]
    assert run.weights == content["weights"]
    assert run.name == content["experiment"]
    rows = run.predictions()
    assert rows.ids == tuple(row.image_id for row in run.images)
    members = np.stack([run.predictions(name).align(rows.ids).rows for name in run.scores.members])
    summed = np.einsum("m,mnd->nd", list(run.weights.values()), members)
    np.testing.assert_allclose(rows.rows, unprompt.unit(summed), atol=1e-6)


def test_running_an_experiment_gives_the_run(run_folder: Path, tmp_path: Path) -> None:
    again = unprompt.run(
        run_folder / "experiment.yaml", overrides=["search.trials=5"], output=tmp_path / "again"
    )
    assert again.folder == tmp_path / "again"
    assert again.scores.search.trials == 5
    comparison = unprompt.compare([run_folder, again.folder])
    assert comparison.images == again.scores.test.images
    difference = comparison.runs[1].ensemble.minus_first
    assert difference is not None
    again_cosines, first_cosines = (
        np.array([row.cosine for row in unprompt.load_run(folder).images])
        for folder in (again.folder, run_folder)
    )
    assert difference.score == pytest.approx((again_cosines - first_cosines).mean(), abs=1e-9)


def test_a_search_alone_gives_weights(run_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text((run_folder / "experiment.yaml").read_text())
    study = unprompt.search(path)
    assert study.weights == unprompt.load_run(run_folder).weights
    assert study.result.summary.trials == unprompt.load_run(run_folder).scores.search.trials


# Predictions


@pytest.mark.parametrize("kind", ["folder", "path", "paths", "images", "map"])
def test_images_of_every_kind_are_predicted(
    kind: str, run_folder: Path, drawn_images: dict[str, Image.Image], tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for name, image in drawn_images.items():
        image.save(folder / f"{name}.png")
    first = next(iter(drawn_images))
    given, ids = {
        "folder": (folder, sorted(drawn_images)),
        "path": (str(folder / f"{first}.png"), [first]),
        "paths": ([folder / f"{name}.png" for name in drawn_images], list(drawn_images)),
        "images": (list(drawn_images.values()), [f"image-{i}" for i in range(4)]),
        "map": (drawn_images, list(drawn_images)),
    }[kind]
    predictions = unprompt.load_ensemble(run_folder).predict(given)  # type: ignore[arg-type]  # each kind is one that it takes
    assert list(predictions.ids) == ids
    assert set(predictions.prompts) == set(predictions.evidence) == set(ids)
    assert predictions.embeddings.rows.shape == (len(ids), 32)
    assert all(prompt for prompt in predictions.prompts.values())
    assert all(-1 <= value <= 1 for value in predictions.readback.values() if value is not None)
    assert set(predictions.readback) == set(predictions.composed) == set(ids)


def test_new_predictions_are_those_of_the_run(
    run_folder: Path, drawn_images: dict[str, Image.Image]
) -> None:
    known = unprompt.load_run(run_folder).predictions().select(list(drawn_images))
    path = run_folder / "ensemble.yaml"
    for source in (run_folder, path, str(path)):
        ensemble = unprompt.load_ensemble(source)
        # A member's noise is seeded by an image's digest, which is another one in memory.
        rows = ensemble.predict(drawn_images, prompts=False).embeddings.align(known.ids)
        assert unprompt.cosine(rows.rows, known.rows).min() > 0.5
    assert ensemble.weights == unprompt.load_run(run_folder).weights


def test_prompts_are_edited_as_is_asked(
    run_folder: Path, drawn_images: dict[str, Image.Image], tmp_path: Path
) -> None:
    ensemble = unprompt.load_ensemble(run_folder)
    edited, plain, none = (
        ensemble.predict(drawn_images, prompts=prompts, edit=edit)
        for prompts, edit in ((True, True), (True, False), (False, True))
    )
    encoder = HashedWords()
    for name, image in drawn_images.items():
        row = edited.embeddings.select([name]).rows[0]
        for predictions in (edited, plain):
            prompt, readback = predictions.prompts[name], predictions.readback[name]
            assert prompt
            assert readback == pytest.approx(float(encoder.encode([prompt])[0] @ row), abs=1e-6)
        assert plain.prompts[name] in {piece.text for piece in plain.evidence[name]}
        assert not plain.composed[name]
        assert none.prompts[name] is None
        assert none.readback[name] is None
        assert not none.composed[name]
        alone = ensemble.predict({name: image})
        assert alone.prompts[name] == edited.prompts[name]
    edited.save(tmp_path / "p.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert {line["image_id"]: line["readback"] for line in lines} == dict(edited.readback)
    assert {line["image_id"]: line["composed"] for line in lines} == dict(edited.composed)


def test_what_cannot_be_read_stops_or_is_named(run_folder: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    Image.new("RGB", (16, 16), "red").save(good)
    bad.write_bytes(b"not an image")
    ensemble = unprompt.load_ensemble(run_folder)
    with pytest.raises(unprompt.DataError, match=r"bad\.png: cannot be read as an image"):
        ensemble.predict([good, bad])
    predictions = ensemble.predict([good, bad], skip_unreadable=True)
    assert predictions.ids == ("good",)
    assert list(predictions.skipped) == ["bad"]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ([3], "image-0: not an image of Pillow: int"),
        ({3: Image.new("L", (2, 2))}, "image ids are text that is not empty, got 3"),
        ({"": Image.new("L", (2, 2))}, "image ids are text that is not empty, got ''"),
        ({"a": "a.png"}, "a: not an image of Pillow: str"),
        (Image.new("L", (0, 3)), "image 'image-0' has no pixels"),
        ([], "no image, folder or glob was named"),
    ],
)
def test_what_is_no_image_is_one_line(given: Any, line: str, run_folder: Path) -> None:
    with pytest.raises(unprompt.DataError) as caught:
        unprompt.load_ensemble(run_folder).predict(given)
    assert caught.value.problems[0] == line


def test_scores_need_predictions_and_prompts() -> None:
    rows = unprompt.Embeddings(("a",), unprompt.unit(np.ones((1, 384))))
    with pytest.raises(unprompt.DataError, match="a file or embeddings, not list"):
        unprompt.score([0.5], {"a": "a fox"})  # type: ignore[arg-type]  # the mistake
    with pytest.raises(unprompt.DataError, match="empty prompt for 'a'"):
        unprompt.score(rows, {"a": " "})
    nothing = unprompt.Embeddings((), np.empty((0, 384), np.float32))
    with pytest.raises(unprompt.DataError, match="missing prediction for 'a'"):
        unprompt.score(nothing, {"a": "a fox"})


def test_runs_are_compared_as_they_were_read(run_folder: Path) -> None:
    with pytest.raises(unprompt.DataError, match="the same run twice"):
        unprompt.compare([unprompt.load_run(run_folder), run_folder])
    with pytest.raises(unprompt.ConfigError, match="overrides are a list"):
        unprompt.run(run_folder / "experiment.yaml", overrides="search.trials=5")


def test_predictions_are_saved_and_scored(
    run_folder: Path, drawn_images: dict[str, Image.Image], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    rows = unprompt.unit(rng.normal(size=(4, 384)))
    embeddings = unprompt.Embeddings(tuple(drawn_images), rows)
    prompts = {name: f"a red fox number {i}" for i, name in enumerate(drawn_images)}
    result = unprompt.score(embeddings, prompts)
    assert (result.images, result.groups) == (4, 1)  # near-duplicate prompts
    assert result.low <= result.score <= result.high
    table = tmp_path / "prompts.csv"
    table.write_text("imgId,prompt\n" + "".join(f"{k},{v}\n" for k, v in prompts.items()))
    predictions = unprompt.Predictions(
        embeddings, dict.fromkeys(drawn_images), dict.fromkeys(drawn_images, ()), {}
    )
    predictions.save(tmp_path / "submission.csv")
    again = unprompt.score(tmp_path / "submission.csv", table)
    assert again.score == pytest.approx(result.score, abs=1e-6)
    with pytest.raises(unprompt.DataError, match="32 numbers per image, minilm has 384"):
        unprompt.score(unprompt.load_run(run_folder).predictions().select(list(prompts)), prompts)


# The module


def test_a_wrong_switch_is_one_line() -> None:
    with pytest.raises(unprompt.ConfigError, match=r"batch_size .*: Input should be greater than"):
        unprompt.load_ensemble(EMBEDDED, batch_size=0)


@pytest.mark.parametrize("names", ["unprompt.load_ensemble, unprompt.load_run", "dir(unprompt)"])
def test_importing_names_imports_no_torch(names: str) -> None:
    program = f"import sys, unprompt; {names}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_every_type_on_the_way_is_known(run_folder: Path) -> None:
    """`assert_type` is for mypy, which reads the tests too."""
    run = unprompt.load_run(run_folder)
    assert_type(run.scores.test.ensemble.score, float)
    assert_type(run.weights, Mapping[str, float])
    assert_type(run.predictions(), unprompt.Embeddings)
    predict = unprompt.load_ensemble(run_folder).predict
    assert_type(predict(Image.new("RGB", (16, 16))).prompts, Mapping[str, str | None])


@pytest.mark.parametrize(
    ("name", "what"),
    [("", "a path is empty"), ("~nobody-of-this-name/r", "no home folder for '~nobody-of-this")],
)
def test_a_run_that_no_path_can_name(name: str, what: str) -> None:
    with pytest.raises(unprompt.DataError, match=what):
        unprompt.load_run(name)


def test_a_run_in_the_working_directory(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = unprompt.load_run(run_folder).scores
    monkeypatch.chdir(run_folder)
    assert unprompt.load_run(".").scores == scores
    monkeypatch.setenv("HOME", str(run_folder.parent))
    assert unprompt.load_run(f"~/{run_folder.name}").scores == scores
