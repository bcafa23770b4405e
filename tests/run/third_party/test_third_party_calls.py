"""Whichever call of a plugin goes wrong, its error names distribution, version and call."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]
RunHostile = Callable[[str, str], CompletedProcess[str]]

OWNER = "plugin 'hostile' (from unprompt-hostile 2.5)"

PLUGIN = """
import os, sys
from pydantic import model_validator
from unprompt import DatasetSpec, Images, PredictorSpec, TextEncoderSpec, hookimpl
import noisy_plugin as noisy

CALL, WAY = os.environ["HOSTILE"].split()

def at(call):
    if call == CALL:
        print(1 // 0 if WAY == "raises" else sys.exit(0))

def failing(base, *calls):
    def method(name):
        def call(self, *arguments, **options):
            at(f"{base.__name__[5:]}.{name}" if name != "__init__" else "hostile_plugin:Encoder")
            return getattr(base, name)(self, *arguments, **options)
        return call
    return type(base.__name__[5:], (base,), {name: method(name) for name in calls})

class Source:
    def __init__(self, source):
        self.source = source
    def open(self, name):
        at("Source.open")
        return self.source.open(name)
    def digest(self, name):
        at("Source.digest")
        return self.source.digest(name)

Dataset = failing(noisy.NoisyDataset, "records", "images", "wordings")

class Dataset(Dataset):
    def images(self):
        images = super().images()
        return Images(images.ids, Source(images.source))

Encoder = failing(noisy.NoisyEncoder, "__init__", "encode")
Member = failing(
    noisy.NoisyMember, "prepare", "load", "predict", "own_embeddings", "predict_variants", "close"
)

class Member(Member):
    def check_variants(self, variants):
        at("Member.check_variants")

class Options(noisy.MemberOptions):
    @model_validator(mode="after")
    def check(self):
        at("options")
        return self

@hookimpl
def unprompt_dataset():
    return DatasetSpec("hostile", "data", noisy.DatasetOptions, "hostile_plugin:Dataset")

@hookimpl
def unprompt_predictor():
    return PredictorSpec("hostile", "member", Options, "hostile_target:Member")

@hookimpl
def unprompt_text_encoder():
    return TextEncoderSpec("hostile", "encoder", noisy.EncoderOptions, "hostile_plugin:Encoder")

@hookimpl
def unprompt_run_started(run): at("unprompt_run_started")
@hookimpl
def unprompt_member_predicted(run, member, split, embeddings): at("unprompt_member_predicted")
@hookimpl
def unprompt_run_finished(run, scores): at("unprompt_run_finished")
"""
TARGET_MODULE = "from hostile_plugin import *\nat('hostile_target:Member')\n"

EXPERIMENT: dict[str, Any] = {
    "name": "hostile",
    "data": {
        "plugin": "hostile",
        "options": {"test": 4, "wordings": True, "prompts": {}, "suffix": ""},
    },
    "ensemble": {
        "text_encoder": {"plugin": "hostile"},
        "members": [{"plugin": "hostile", "options": {"noise": 0.1, "seed": 1}}],
    },
    "search": {"trials": 1, "sampler": "random"},
    "score": {"wordings": 2},
}
TARGET = "hostile_target:Member"
HOOKS = ["unprompt_run_started", "unprompt_run_finished", "unprompt_member_predicted"]
CALLS = ["options", "Dataset.records", "Dataset.images", "Dataset.wordings"]
CALLS += ["Source.open", "Source.digest", "hostile_plugin:Encoder", "Encoder.encode"]
CALLS += [f"Member.{name}" for name in ("prepare", "load", "predict", "own_embeddings", "close")]
CALLS += ["Member.check_variants", "Member.predict_variants"]


@pytest.fixture
def run_hostile(
    install_plugin: InstallPlugin,
    unprompt: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> RunHostile:
    """``run_hostile(call, way)``: run an experiment in which that call exits or raises."""

    def run(call: str, way: str) -> CompletedProcess[str]:
        monkeypatch.setenv("HOSTILE", f"{call} {way}")
        monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / "cache"))
        folder = install_plugin("hostile", PLUGIN, version="2.5")
        (folder / "hostile_target.py").write_text(TARGET_MODULE)
        shutil.copy(Path(__file__).parents[2] / "noisy_plugin.py", folder)
        space = {"hostile": {"noise": [0.1, 0.2]}} if "variants" in call else {}
        search = EXPERIMENT["search"] | {"space": space}
        path = tmp_path / "hostile.yaml"
        path.write_text(json.dumps(EXPERIMENT | {"search": search, "observers": ["hostile"]}))
        return unprompt("run", path, "--output", tmp_path / "run")

    return run


@pytest.mark.parametrize("call", [*CALLS, *HOOKS, TARGET])
def test_a_call_that_exits_is_named(call: str, run_hostile: RunHostile) -> None:
    done = run_hostile(call, "exits")
    assert (done.returncode, done.stdout) == (1, "")
    how = {TARGET: "failed to load:"} | dict.fromkeys(HOOKS, "raised")
    what = how.get(call, "ended the program:")
    assert f"{OWNER}: {call} {what} SystemExit: 0" in done.stderr


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_raises_is_named_above_its_traceback(
    call: str, run_hostile: RunHostile
) -> None:
    done = run_hostile(call, "raises")
    assert (done.returncode, done.stdout) == (1, "")
    line, _, below = done.stderr.partition("\n")
    assert f"{OWNER}: {call} raised ZeroDivisionError: integer division or modulo by zero" in line
    assert below.startswith("Traceback (most recent call last):\n")
    assert "site-0" in below.splitlines()[1], "the first frame is the plugin's"
    assert below.endswith("ZeroDivisionError: integer division or modulo by zero\n")
