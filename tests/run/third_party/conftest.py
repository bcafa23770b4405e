"""A plugin of another distribution: a predictor whose options make it break the contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

InstallPlugin = Callable[..., Path]

PLUGIN = """
import json
from pathlib import Path
from pydantic import Field
from unprompt import Model, PredictorSpec, hookimpl

class GreyOptions(Model):
    scale: float = Field(default=1.0, gt=0, description="Of the brightness.")
    fault: str = Field(default="", description="What to do wrong.")

@hookimpl
def unprompt_predictor():
    return PredictorSpec("grey", "mean brightness", GreyOptions, "TARGET:Grey")

def log_call(run, *words):
    with open(LOG, "a") as file:
        file.write(json.dumps([run.name, run.folder.is_dir(), *words]) + "\\n")

@hookimpl
def unprompt_run_started(run):
    files = sorted(path.name for path in run.folder.iterdir())
    log_call(run, "started", files, run.experiment["ensemble"]["members"][0]["plugin"])

@hookimpl
def unprompt_member_predicted(run, member, split, embeddings):
    log_call(run, "predicted", member, split, len(embeddings), embeddings.dim)

@hookimpl
def unprompt_run_finished(run, scores):
    log_call(run, "finished", str(run.folder), scores["experiment"], sorted(scores["weights"]))

@hookimpl
def unprompt_run_failed(run, error):
    log_call(run, "failed", type(error).__name__, str(error))
"""

FAMILY = """
import sys
import numpy as np
from unprompt import Batch, Embeddings, Predictor, unit

class Grey(Predictor):
    def prepare(self, train, artifact):
        if self.options.fault == "prints":
            print("preparing")
        if self.options.fault == "exits in prepare":
            sys.exit(0)
        mean = train.targets.rows.mean(axis=0)
        np.save(artifact / "mean.npy", mean, allow_pickle=False)

    def load(self, artifact):
        self.mean = np.load(artifact / "mean.npy", allow_pickle=False)

    def predict(self, images):
        fault = self.options.fault
        if fault == "prints":
            print("predicting")
        if fault == "exits in predict":
            sys.exit("go away")
        if fault == "raises":
            raise ZeroDivisionError("in predict")
        for name in images.ids[1:] if fault == "drops" else images.ids:
            grey = np.asarray(images.open(name).convert("L")).mean() / 255
            rows = unit(self.mean[None] + 0.001 * self.options.scale * grey)
            if fault == "nan":
                rows[0, 3] = np.nan
            if fault == "long":
                rows *= 2
            if fault == "another dim":
                rows = unit(np.ones((1, 12)))
            batch = Batch(Embeddings((name,), rows), (None,), ((),))
            yield batch
            if fault == "repeats":
                yield batch
"""

SOLO = """\
name: solo
data: {plugin: painter, options: {seed: 9, images: 60, size: 32}}
ensemble:
  members: [{plugin: grey, name: grim}]
search: {trials: 2}
score: {wordings: 2}
"""


@pytest.fixture
def solo(tmp_path: Path) -> Path:
    """An experiment whose only member is the plugin's predictor."""
    path = tmp_path / "solo.yaml"
    path.write_text(SOLO)
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The file in which the plugin's hooks write their calls."""
    return tmp_path / "hooks.jsonl"


@pytest.fixture
def hook_calls(log: Path) -> Callable[[], list[list[object]]]:
    """``hook_calls()``: the calls in `log`, each a list of what the hook was given."""

    def read() -> list[list[object]]:
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    return read


@pytest.fixture
def installed(install_plugin: InstallPlugin, log: Path) -> Path:
    """The folder of the installed plugin, whose predictor is in a module of its own."""
    source = PLUGIN.replace("TARGET", "grey_family").replace("LOG", repr(str(log)))
    folder = install_plugin("grey", source, version="2.5")
    (folder / "grey_family.py").write_text(FAMILY)
    return folder


@pytest.fixture
def installed_as_one_module(install_plugin: InstallPlugin, log: Path) -> Path:
    """The same plugin, with hooks and predictor in one module."""
    source = PLUGIN.replace("TARGET", "grey_plugin").replace("LOG", repr(str(log)))
    return install_plugin("grey", source + FAMILY)
