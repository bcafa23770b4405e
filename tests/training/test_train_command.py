"""``unprompt train``: mistakes are one line and exit code 2, and cost no training."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import unprompt as package
from unprompt._runs import files
from unprompt.train.alone import alone_in
from unprompt.train.checkpoints import LAST, Position
from unprompt.train.state_file import read_state
from unprompt_painter.world import World

from .experiments import MEMBER, copy_configuration, write_experiment, write_recipe

Command = Callable[..., CompletedProcess[str]]


SEEDS = random.Random().sample(range(10**6), 4)
"""Of trainings that are in no cache, however often the tests run."""


def line_of(done: CompletedProcess[str]) -> str:
    """The only line of a command that ends with exit code 2."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "it/s]" not in line]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_a_member_learns_and_says_so(
    unprompt: Command, vision: Path, tmp_path: Path, caplog: Any
) -> None:
    path = write_experiment(tmp_path / "toy.yaml", vision, seed=SEEDS[0])
    done = unprompt("train", path, "--member", MEMBER)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs" / "toy" / "training" / MEMBER
    assert done.stdout.splitlines()[-1] == str(folder)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    scores = {x["step"]: x["validation cosine"] for x in lines if "validation cosine" in x}
    steps = max(scores)
    said = [record.getMessage() for record in caplog.records]
    for step, score in scores.items():
        at = (
            f"step {step} of {steps}, epoch {2 * step // steps}"
            if step
            else "before the first step"
        )
        assert f"{MEMBER}: fine-tune: {at}: validation cosine {score:.4f}" in said
    assert not (folder / "checkpoints").exists()
    card = (folder / "README.md").read_text()
    assert "| test |" in card
    assert "| learned in |" in card
    assert not done.stdout.splitlines()[1].endswith("(cached)")
    again = unprompt("train", path, "--resume", "never")
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[1].endswith("(cached)")
    card = (folder / "README.md").read_text()
    assert "| learned | by an earlier command; this one found it in the cache |" in card
    assert "| learned in |" not in card


def test_what_was_trained_predicts_as_it_does_in_a_run(
    unprompt: Command, vision: Path, tmp_path: Path
) -> None:
    path = write_experiment(tmp_path / "toy.yaml", vision, seed=SEEDS[0])
    folder = Path(unprompt("train", path).stdout.splitlines()[-1])
    done = unprompt("run", path, "--output", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    table = pq.read_table(tmp_path / "run" / files.predictions(MEMBER, "test"))
    world = World(11, 32, None)
    for name in table["image_id"].to_pylist():
        world.image(int(name)).save(tmp_path / f"{name}.png")
    predicted = package.load_ensemble(folder).predict(sorted(tmp_path.glob("*.png")))
    ids = tuple(table["image_id"].to_pylist())
    in_run = package.Embeddings(ids, np.array(table["embedding"].to_pylist(), np.float32))
    names = [Path(name).stem for name in predicted.ids]
    assert sorted(names) == sorted(ids)
    rows = in_run.align(names).rows
    np.testing.assert_allclose(predicted.embeddings.rows, rows, rtol=0, atol=1e-6)


def test_the_wrong_names(unprompt: Command, vision: Path, tmp_path: Path) -> None:
    path = write_experiment(tmp_path / "toy.yaml", vision)
    line = line_of(unprompt("train", path, "--member", "tunde"))
    assert line == "no member 'tunde'; did you mean 'tuned'?; there are tuned"
    recipe = write_recipe(tmp_path / "recipe.yaml", copy_configuration(vision, tmp_path / "tower"))
    line = line_of(unprompt("train", recipe, "--member", MEMBER))
    assert line == "--member: a recipe trains one tower and has no members"


@pytest.mark.parametrize("what", ["member", "recipe"])
def test_another_training_in_the_folder(
    what: str, unprompt: Command, vision: Path, tmp_path: Path
) -> None:
    if what == "member":
        path = write_experiment(tmp_path / "toy.yaml", vision, seed=SEEDS[1])
        folder = tmp_path / "runs" / "toy" / "training" / MEMBER
    else:
        path = write_recipe(tmp_path / "toy.yaml", copy_configuration(vision, tmp_path / "tower"))
        folder = tmp_path / "runs" / "toy" / "training" / "tower"
    with alone_in(folder):
        for more in ((), ("--resume", "never")):
            line = line_of(unprompt("train", path, *more))
            assert f"{folder}: process {os.getpid()} on " in line
            assert "wait until it has ended" in line
    assert not (folder / "checkpoints").exists()


@pytest.mark.parametrize("what", ["member", "recipe"])
def test_a_folder_that_cannot_be_written_is_noticed_first(
    what: str, unprompt: Command, vision: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unprompt_painter.world import World

    monkeypatch.setattr(World, "image", _no_image)
    if what == "member":
        path = write_experiment(tmp_path / "toy.yaml", vision)
        (tmp_path / "runs").write_text("a file")
        folder = tmp_path / "runs"
    else:
        folder = copy_configuration(vision, tmp_path / "tower") / "README.md"
        folder.mkdir()
        path = write_recipe(tmp_path / "toy.yaml", tmp_path / "tower")
    line = line_of(unprompt("train", path))
    assert line.startswith(str(folder)), line


def _no_image(*given: Any) -> Any:
    raise AssertionError("an image was opened")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("freeze=9", "freeze: 9, but the model has 3 layers above its embeddings"),
        ("batch_size=9", "a `batch_size` of 9 cannot be divided among 2 processes"),
        ("accumulate=0", "accumulate"),
    ],
)
def test_options_of_a_member_that_do_not_fit(
    option: str,
    message: str,
    unprompt: Command,
    vision: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from unprompt_painter.world import World

    monkeypatch.setattr(World, "image", _no_image)
    key, value = option.split("=")
    path = write_experiment(tmp_path / "toy.yaml", vision, **{"processes": 2, key: int(value)})
    assert message in line_of(unprompt("train", path))


@pytest.mark.parametrize("option", ["freeze=1", "layer_decay=0.5", "gradient_checkpointing=true"])
def test_options_of_a_recipe_that_do_not_fit(
    option: str,
    unprompt: Command,
    vision: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from unprompt_painter.world import World

    monkeypatch.setattr(World, "image", _no_image)
    path = write_recipe(tmp_path / "toy.yaml", copy_configuration(vision, tmp_path / "tower"))
    line = line_of(unprompt("train", path, "--set", f"training.{option}"))
    wanted = ("gradient_checkpointing: this model has none", "this model does not say its layers")
    assert line.startswith(wanted)


@pytest.mark.parametrize("images", [2, 3])
def test_nothing_to_learn_from(
    images: int, unprompt: Command, vision: Path, tmp_path: Path
) -> None:
    path = write_experiment(tmp_path / "toy.yaml", vision, images=images)
    shares = "{train: 0.0, holdout: 0.5, test: 0.5, seed: 0}"
    line = line_of(unprompt("train", path, "--set", f"data.split={shares}"))
    assert "train" in line


def test_resume_never_begins_anew(
    unprompt: Command, vision: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A checkpoint of other options is refused, and ``--resume never`` does without it."""
    from unprompt.train.loop import Loop

    path = write_experiment(tmp_path / "toy.yaml", vision, seed=SEEDS[3])
    save = Loop._save

    def stop(loop: Any) -> None:
        save(loop)
        os.kill(
            os.getpid(), signal.SIGTERM
        )  # an ignored SIGINT, as in a background job, would do nothing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loop, "_save", stop)
        done = unprompt("train", path)
    assert done.returncode == 143
    last = tmp_path / "runs" / "toy" / "training" / MEMBER / "checkpoints" / LAST
    step = Position.model_validate(read_state(last)[1]["position"]).step
    (line,) = (line for line in caplog.messages if "stopped" in line)
    assert line.endswith(
        f"stopped at step {step} of {2 * step}, epoch 1: the checkpoint of step {step} is kept: "
        f"{last}; the same command goes on from it"
    )
    write_experiment(path, vision, seed=SEEDS[3], learning_rate=1e-4)
    line = line_of(unprompt("train", path))
    assert "training.learning_rate 0.001, now 0.0001" in line
    assert "last.safetensors: of another training" in line
    done = unprompt("train", path, "--resume", "never")
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "runs" / "toy" / "training" / MEMBER / "README.md").read_text()
    assert "attempts" not in card
