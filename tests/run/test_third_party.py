"""A plugin from another distribution: listed, used, told of the run, and named when it is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from unprompt._data.predictions import read_predictions

Command = Callable[..., CompletedProcess[str]]
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

def tell(run, *words):
    with open(LOG, "a") as file:
        file.write(json.dumps([run.name, run.folder.is_dir(), *words]) + "\\n")

@hookimpl
def unprompt_run_started(run):
    here = sorted(path.name for path in run.folder.iterdir())
    tell(run, "started", here, run.experiment["ensemble"]["members"][0]["plugin"])

@hookimpl
def unprompt_member_predicted(run, member, split, embeddings):
    tell(run, "predicted", member, split, len(embeddings), embeddings.dim)

@hookimpl
def unprompt_run_finished(run, scores):
    tell(run, "finished", str(run.folder), scores["experiment"], sorted(scores["weights"]))

@hookimpl
def unprompt_run_failed(run, error):
    tell(run, "failed", type(error).__name__, str(error))
"""

FAMILY = """
import numpy as np
from unprompt import Batch, Embeddings, Predictor, unit

class Grey(Predictor):
    def prepare(self, train, artifact):
        mean = train.targets.rows.mean(axis=0)
        np.save(artifact / "mean.npy", mean, allow_pickle=False)

    def load(self, artifact):
        self.mean = np.load(artifact / "mean.npy", allow_pickle=False)

    def predict(self, images):
        fault = self.options.fault
        for name in images.ids[1:] if fault == "drops" else images.ids:
            grey = np.asarray(images.open(name).convert("L")).mean() / 255
            rows = unit(self.mean[None] + 0.001 * self.options.scale * grey)
            if fault == "nan":
                rows[0, 3] = np.nan
            if fault == "long":
                rows *= 2
            if fault == "wide":
                rows = unit(np.ones((1, 12)))
            batch = Batch(Embeddings((name,), rows), (None,), ((),))
            yield batch
            if fault == "repeats":
                yield batch
"""

EXPERIMENT = """\
name: mixed
data: {plugin: painter, options: {seed: 9, images: 60, size: 32}}
ensemble:
  members:
  - plugin: knn-vit-h
    options: {backbone: {folder: package:unprompt_painter/checkpoints/clip-a}}
  - plugin: grey
search: {trials: 6}
score: {wordings: 2, bootstrap: 100}
"""

SOLO = """\
name: solo
data: {plugin: painter, options: {seed: 9, images: 60, size: 32}}
ensemble:
  members: [{plugin: grey, name: grim}]
search: {trials: 2}
score: {wordings: 2, bootstrap: 100}
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "hooks.jsonl"


@pytest.fixture
def site(install_plugin: InstallPlugin, log: Path) -> Path:
    """The plugin, its predictor in a module of its own."""
    source = PLUGIN.replace("TARGET", "grey_family").replace("LOG", repr(str(log)))
    folder = install_plugin("grey", source, version="2.5")
    (folder / "grey_family.py").write_text(FAMILY)
    return folder


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def events(log: Path) -> list[list[object]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_it_is_listed(site: Path, unprompt: Command) -> None:
    rows = {row["name"]: row for row in json.loads(unprompt("plugins", "--json").stdout)}
    assert rows["grey"] == {
        "name": "grey",
        "module": "grey_plugin",
        "distribution": "unprompt-grey",
        "version": "2.5",
    }


def test_check_loads_it_and_says_what_it_offers(site: Path, unprompt: Command) -> None:
    done = unprompt("plugins", "--check", "--json")
    assert done.returncode == 0, done.stdout
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["grey"]["offers"] == ["predictor", "observer"]
    assert rows["grey"]["summary"] == "mean brightness"
    assert rows["painter"]["offers"] == ["dataset"]
    assert {row["error"] for row in rows.values()} == {None}


def test_the_target_may_be_in_the_plugins_own_module(
    install_plugin: InstallPlugin, log: Path, unprompt: Command, tmp_path: Path
) -> None:
    source = PLUGIN.replace("TARGET", "grey_plugin").replace("LOG", repr(str(log)))
    install_plugin("grey", source + FAMILY)
    done = unprompt("run", write(tmp_path / "solo.yaml", SOLO))
    assert done.returncode == 0, done.stderr
    scores = json.loads((Path(done.stdout.splitlines()[-1]) / "scores.json").read_text())
    assert scores["weights"] == {"grim": 1.0}
    assert scores["test"]["ensemble"]["score"] == scores["test"]["members"]["grim"]["score"]


def test_a_member_beside_a_built_in_one_and_its_hooks(
    site: Path, log: Path, unprompt: Command, tmp_path: Path
) -> None:
    done = unprompt("run", write(tmp_path / "mixed.yaml", EXPERIMENT))
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
    assert events(log) == [
        ["mixed", True, "started", ["experiment.yaml"], "knn-vit-h"],
        *predicted,
        ["mixed", True, "finished", str(folder), "mixed", ["grey", "knn-vit-h"]],
    ]
    # Once more, now from the cache: hooks are called all the same.
    log.unlink()
    assert unprompt("run", tmp_path / "mixed.yaml").returncode == 0
    assert events(log)[1:-1] == predicted


def test_an_observer_is_told_without_being_a_member(
    site: Path, log: Path, unprompt: Command, tmp_path: Path
) -> None:
    text = SOLO.replace("solo", "watched") + "observers: [grey]\n"
    path = write(tmp_path / "watched.yaml", text)
    only = "ensemble.members=[{plugin: knn-vit-h, options: {backbone: {folder: 'FOLDER'}}}]"
    member = only.replace("FOLDER", "package:unprompt_painter/checkpoints/clip-a")
    done = unprompt("run", path, "--set", member)
    assert done.returncode == 0, done.stderr
    assert [event[2] for event in events(log)] == ["started", "predicted", "predicted", "finished"]


def test_mistakes_in_its_options_have_a_place(
    site: Path, log: Path, unprompt: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = "\n    options:\n      scale: -2\n      fualt: drops"
    text = EXPERIMENT.replace("- plugin: grey", "- plugin: grey" + options)
    write(tmp_path / "mixed.yaml", text)
    done = unprompt("run", "mixed.yaml")
    assert done.returncode == 2
    place = "ensemble.members.1.options"
    assert done.stderr.splitlines() == [
        f"mixed.yaml:9:7: {place}.scale: should be more than 0, got -2",
        f"mixed.yaml:10:7: {place}.fualt: unknown key; did you mean 'fault'?",
    ]
    assert not log.exists()


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("drops", "did not predict each image once: missing '0"),
        ("repeats", "did not predict each image once: repeated '0"),
        ("nan", "values that are not finite: '0"),
        ("long", "rows are not unit length: '0"),
        ("wide", "predicted rows of 12 numbers, not of 384"),
    ],
)
def test_a_predictor_that_breaks_the_contract_is_named(
    fault: str, what: str, site: Path, log: Path, unprompt: Command, tmp_path: Path
) -> None:
    path = write(tmp_path / "solo.yaml", SOLO)
    done = unprompt("run", path, "--set", f"ensemble.members.grim.options.fault={fault}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"member 'grim' (plugin 'grey'): {what}")
    assert [event[2] for event in events(log)] == ["started", "failed"]
    assert events(log)[-1][-1] == line
    assert not (tmp_path / "runs").exists()


def test_a_hook_that_raises_ends_the_run_and_is_named(
    install_plugin: InstallPlugin, unprompt: Command, tmp_path: Path
) -> None:
    source = "from unprompt import hookimpl\n" + "".join(
        f"@hookimpl\ndef unprompt_{name}:\n    raise ValueError('in {name[:10]}')\n"
        for name in ("run_started(run)", "run_failed(run, error)")
    )
    install_plugin("watcher", source)
    text = SOLO.replace("{plugin: grey, name: grim}", "{plugin: knn-vit-h}")
    path = write(tmp_path / "solo.yaml", text + "observers: [watcher]\n")
    done = unprompt("run", path)
    assert done.returncode == 2
    owner = "plugin 'watcher' (from unprompt-watcher 1.0)"
    assert done.stderr.splitlines() == [
        f"{owner}: unprompt_run_started raised ValueError: in run_starte",
        f"{owner}: unprompt_run_failed raised ValueError: in run_failed",
    ]
    assert not (tmp_path / "runs").exists()


def test_a_broken_plugin_stops_nobody_else(
    site: Path, install_plugin: InstallPlugin, unprompt: Command, tmp_path: Path
) -> None:
    install_plugin("broken", "import a_module_that_is_not_there\n")
    listed = json.loads(unprompt("plugins", "--json").stdout)
    assert {"broken", "grey"} <= {row["name"] for row in listed}
    done = unprompt("plugins", "--check", "--json")
    assert done.returncode == 1
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["broken"]["error"] == (
        "plugin 'broken' (from unprompt-broken 1.0) failed to load: "
        "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"
    )
    assert {row["error"] for name, row in rows.items() if name != "broken"} == {None}
    done = unprompt("run", write(tmp_path / "solo.yaml", SOLO))
    assert done.returncode == 0, done.stderr


def test_a_broken_plugin_that_is_named_is_a_mistake_with_a_place(
    install_plugin: InstallPlugin,
    unprompt: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    install_plugin("grey", "raise RuntimeError('no\\nluck')\n")
    write(tmp_path / "solo.yaml", SOLO)
    done = unprompt("run", "solo.yaml")
    assert done.returncode == 2
    assert done.stderr == (
        "solo.yaml:4:14: ensemble.members.0.plugin: plugin 'grey' (from unprompt-grey 1.0) "
        "failed to load: RuntimeError: no luck\n"
    )


def test_another_process_finds_it_too(site: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from unprompt._cli.app import main; main()", "plugins"],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("grey "))
    assert line.split() == ["grey", "unprompt-grey", "2.5", "grey_plugin"]


def test_its_options_decide_its_rows(site: Path, unprompt: Command, tmp_path: Path) -> None:
    rows = {}
    for scale in ("1.0", "5.0"):
        output = tmp_path / f"run-{scale}"
        path = write(tmp_path / "solo.yaml", SOLO)
        change = f"ensemble.members.grim.options.scale={scale}"
        assert unprompt("run", path, "--set", change, "--output", output).returncode == 0
        rows[scale] = read_predictions(output / "predictions" / "grim.test.parquet")
    assert rows["1.0"].ids == rows["5.0"].ids
    assert not np.array_equal(rows["1.0"].rows, rows["5.0"].rows)
