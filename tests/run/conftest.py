"""What tests of runs use: an experiment with two members, and what a run leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

MEAN = '''
import numpy as np
from unprompt import Batch, Embeddings, Model, Predictor, PredictorSpec, hookimpl, unit

class Options(Model):
    fail: bool = False

class Mean(Predictor):
    """Predicts the mean train target."""

    def prepare(self, train, artifact):
        np.save(artifact / "mean.npy", train.targets.rows.mean(axis=0, keepdims=True))

    def load(self, artifact):
        self.mean = unit(np.load(artifact / "mean.npy"))

    def predict(self, images):
        if self.options.fail:
            raise ValueError("no prediction")
        for name in images.ids:
            yield Batch(Embeddings((name,), self.mean), (None,), ((),))

@hookimpl
def unprompt_predictor():
    return PredictorSpec("mean", "the mean train target", Options, "mean_plugin:Mean")
'''

OBSERVED = """\
name: NAME
data: {plugin: painter, options: {seed: 9, images: 60, size: 32}}
ensemble:
  members: [{MEMBER}]
search: {trials: 2}
score: {wordings: 2}
observers:
"""

PAIR = """\
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
score: {wordings: 2}
"""


@pytest.fixture
def write_observed(install_plugin: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """``write_observed(observers, name="watched", member="plugin: mean")``: an experiment.

    Its observers are lines of YAML; its member is of the plugin `MEAN`, which is installed.
    """
    install_plugin("mean", MEAN)

    def write(observers: str, name: str = "watched", member: str = "plugin: mean") -> Path:
        path = tmp_path / f"{name}.yaml"
        text = OBSERVED.replace("NAME", name).replace("MEMBER", member)
        path.write_text(f"{text}{observers}\n")
        return path

    return write


@pytest.fixture
def write_pair(tmp_path: Path) -> Callable[..., Path]:
    """``write_pair(search="seed: 0", name="two.yaml")``: an experiment with this search block."""

    def write(search: str = "seed: 0", name: str = "two.yaml") -> Path:
        path = tmp_path / name
        path.write_text(PAIR.replace("SEARCH", search))
        return path

    return write


@pytest.fixture
def run_folder(unprompt: Callable[..., CompletedProcess[str]]) -> Callable[..., Path]:
    """``run_folder(path, *arguments)``: run an experiment; the folder that it makes."""

    def run(path: Path, *arguments: str) -> Path:
        done = unprompt("run", path, *arguments, "--quiet")
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def scores_of() -> Callable[[Path], dict[str, Any]]:
    """``scores_of(folder)``: the content of a run's ``scores.json``."""

    def read(folder: Path) -> dict[str, Any]:
        scores: dict[str, Any] = json.loads((folder / "scores.json").read_text())
        return scores

    return read


@pytest.fixture(scope="session")
def numbers() -> Callable[[Any], list[float]]:
    """``numbers(data)``: every number of plain data, in the order of the keys."""

    def collect(value: Any) -> list[float]:
        if isinstance(value, dict):
            return [number for key in sorted(value) for number in collect(value[key])]
        if isinstance(value, list):
            return [number for item in value for number in collect(item)]
        return [value] if isinstance(value, int | float) else []

    return collect
