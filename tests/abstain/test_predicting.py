"""Predictions with members that abstain or read: rows, prompts, files, and what is said."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from unprompt import DataError, Images, load_ensemble
from unprompt.testing import HashedWords

from .conftest import CARRIER, NOISY, READER, Member, Runs

Command = Callable[..., CompletedProcess[str]]
IMAGES = tuple(f"test-{i}" for i in range(6))
PROMPTS = {name: f"test number {name[5:]}" for name in IMAGES}
EVEN, ODD = IMAGES[::2], IMAGES[1::2]


@pytest.fixture
def images(runs: Runs, tmp_path: Path) -> Path:
    """Six files; those with an even number carry their prompt, as far as the members know."""
    folder = tmp_path / "images"
    folder.mkdir()
    drawn = importlib.import_module("noisy_plugin").Drawn(PROMPTS)
    for name in IMAGES:
        drawn.open(name).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def write(runs: Runs, tmp_path: Path) -> Callable[..., Path]:
    """``write(members...)``: an ensemble that needs no experiment's members but learned ones."""
    artifacts = runs([CARRIER]) / "artifacts"

    def ensemble(*members: Member) -> Path:
        lines = [
            member  # has learned nothing
            if member["plugin"] == "reader"
            else {**member, "artifact": str(artifacts / member.get("name", "carrier"))}
            for member in members
        ]
        path = tmp_path / "some.yaml"
        path.write_text(yaml.safe_dump({"text_encoder": {"plugin": "noisy"}, "members": lines}))
        return path

    return ensemble


def test_an_image_is_blended_by_those_who_answer(write: Callable[..., Path], images: Path) -> None:
    loaded = load_ensemble(write(*NOISY, {**CARRIER, "weight": 0.5}))
    with_it = loaded.predict(images)
    without = load_ensemble(write(*NOISY)).predict(images)
    both = [given.embeddings.select(ODD).rows for given in (with_it, without)]
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)
    assert [with_it.prompts[name] for name in ODD] == [without.prompts[name] for name in ODD]
    assert dict(with_it.answered) == {"member-0": 6, "member-1": 6, "carrier": 3}
    assert set(with_it.origin.values()) == {"predicted"}
    carried = with_it.embeddings.select(EVEN).rows
    assert (carried * without.embeddings.select(EVEN).rows).sum(axis=1).max() < 0.9999


@pytest.mark.parametrize("weight", [0.01, 100])
def test_a_prompt_that_was_read_is_shown_word_for_word(
    write: Callable[..., Path], images: Path, tmp_path: Path, weight: float
) -> None:
    predictions = load_ensemble(write(*NOISY, {**READER, "weight": weight})).predict(images)
    encoder = HashedWords()
    for name in IMAGES:
        row = predictions.embeddings.select([name]).rows[0]
        if name in EVEN:
            assert predictions.origin[name] == "read"
            assert predictions.prompts[name] == PROMPTS[name]
            assert not predictions.composed[name]
            readback = float(encoder.encode([PROMPTS[name]])[0] @ row)
            assert predictions.readback[name] == pytest.approx(readback, abs=1e-6)
            assert (readback > 0.999) == (weight == 100)
        else:
            assert predictions.origin[name] == "predicted"
    predictions.save(tmp_path / "p.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert {line["image_id"]: line["origin"] for line in lines} == dict(predictions.origin)
    predictions.save(tmp_path / "p.parquet")
    column = pq.read_table(tmp_path / "p.parquet")["origin"]
    assert column.to_pylist() == [predictions.origin[name] for name in predictions.ids]
    assert str(column.type) == "string"


def test_an_ensemble_that_only_reads_decodes_and_hashes_no_image(
    write: Callable[..., Path], images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs a header of each file, also of one whose pixels are damaged."""

    def refused(self: Images, image_id: str) -> str:
        raise AssertionError(f"{image_id} was read as a whole")

    cut = images / "test-1.png"
    cut.write_bytes(cut.read_bytes()[:60])
    ensemble = write(READER, *({**member, "weight": 0} for member in NOISY))
    monkeypatch.setattr(Images, "digest", refused)
    predictions = load_ensemble(ensemble).predict(images)
    assert predictions.ids == IMAGES
    assert {name for name, origin in predictions.origin.items() if origin == "read"} == {*EVEN}
    monkeypatch.undo()
    with pytest.raises(DataError, match=r"test-1\.png"):
        load_ensemble(write(READER, *NOISY)).predict(images)


def test_of_two_that_read_the_one_of_the_larger_weight_counts(
    write: Callable[..., Path], images: Path
) -> None:
    other = {**READER, "name": "other", "options": {"every": 3}, "weight": 2}
    more = {**READER, "name": "more", "options": {"every": 2}, "weight": 1}
    path = write(*NOISY, more)
    content = yaml.safe_load(path.read_text())
    content["members"].append(other)
    path.write_text(yaml.safe_dump(content))
    predictions = load_ensemble(path).predict(images)
    read = {name for name, origin in predictions.origin.items() if origin == "read"}
    assert read == {"test-0", "test-2", "test-3", "test-4"}


def test_where_nobody_answers_there_is_no_row_and_no_prompt(
    write: Callable[..., Path], images: Path, unprompt: Command, tmp_path: Path
) -> None:
    path, output = write(CARRIER), tmp_path / "p.jsonl"
    done = unprompt("predict", path, images, "-o", output)
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    assert "carrier has an answer for 3 of 6 images and no part in the rest" in said
    assert (
        "warning: nobody has an answer for 3 of 6 images: their embeddings are all zeros and they "
        "have no prompt: 'test-1', 'test-3', 'test-5'"
    ) in said
    lines = {line["image_id"]: line for line in map(json.loads, output.read_text().splitlines())}
    for name in ODD:
        line = lines[name]
        assert (line["origin"], line["prompt"], line["evidence"]) == ("none", None, [])
        assert (line["readback"], line["composed"]) == (None, False)
        assert not any(line["embedding"])
    for name in EVEN:
        assert (lines[name]["origin"], lines[name]["prompt"]) == ("predicted", PROMPTS[name])


def test_who_read_and_who_answers_nobody_is_said(
    write: Callable[..., Path], images: Path, unprompt: Command, tmp_path: Path
) -> None:
    output = tmp_path / "p.jsonl"
    done = unprompt("predict", write(*NOISY, READER), images, "-o", output)
    assert "reader read a prompt in 3 of 6 files" in done.stderr.splitlines()
    silent = ["--set", "members.carrier.options.every=0"]
    done = unprompt("predict", write(*NOISY, CARRIER), images, "-o", output, *silent)
    assert "warning: carrier has an answer for none of 6 images: it adds nothing" in (
        done.stderr.splitlines()
    )
    done = unprompt("predict", write(*NOISY), images, "-o", output)
    assert "answer" not in done.stderr and "read" not in done.stderr


def test_a_runs_ensemble_reads_where_it_is_switched_on(
    runs: Runs, images: Path, unprompt: Command, tmp_path: Path
) -> None:
    """It was set aside in the run, so that its weight is 0 until somebody says otherwise."""
    folder, output = runs([READER]), tmp_path / "p.jsonl"

    def origins(*words: str) -> set[str]:
        done = unprompt("predict", folder, images, "-o", output, *words)
        assert done.returncode == 0, done.stderr
        return {json.loads(line)["origin"] for line in output.read_text().splitlines()}

    assert origins() == {"predicted"}
    assert origins("--set", "members.reader.weight=1") == {"predicted", "read"}


def test_expected_scores_of_a_run_that_may_read(runs: Runs, images: Path) -> None:
    folder = runs([READER], search={"include_reading": True})
    predictions = load_ensemble(folder).predict(images)
    known = {name: said for name, said in predictions.expected.items() if said is not None}
    assert set(known) == set(IMAGES)
    scores = {name: said.score for name, said in known.items() if said.score is not None}
    assert len(scores) >= 4
    assert min(scores[n] for n in EVEN if n in scores) > max(scores[n] for n in ODD if n in scores)
