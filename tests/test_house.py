"""The rules of the house: public names, short modules, plugins that load, YAML files that hold."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import unprompt as package
from unprompt._cli.config import load_any
from unprompt._registry.plugins import Registry

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ENTRY_POINTS: dict[str, str] = PROJECT["project"]["entry-points"]["unprompt"]
YAML = [
    *sorted((ROOT / "ensembles").glob("*.yaml")),
    *sorted((ROOT / "experiments").glob("*.yaml")),
    *sorted((ROOT / "experiments" / "train").glob("*.yaml")),
]
KINDS = {"ensembles": "ensemble", "experiments": "experiment", "train": "training recipe"}

PUBLIC = [
    "build_bank",
    "import_bank",
    "search_bank",
    "FilledStudy",
    "unread_option",
    "refuse_options",
    "choice_by_name",
    "choice",
    "Batch",
    "Comparison",
    "ConfigError",
    "DataError",
    "Dataset",
    "DatasetSpec",
    "Embeddings",
    "Estimate",
    "Evidence",
    "Expected",
    "ImagePrompt",
    "ImagePrompts",
    "ImageSource",
    "Images",
    "LoadedEnsemble",
    "Location",
    "Manifest",
    "MissingFileError",
    "Model",
    "Need",
    "Observer",
    "ObserverSpec",
    "OutputError",
    "PluginError",
    "PredictionScore",
    "Predictions",
    "Predictor",
    "PredictorSpec",
    "Progress",
    "PromptReader",
    "Reading",
    "Record",
    "Run",
    "RunView",
    "Runtime",
    "Scores",
    "SplitScores",
    "TextEncoder",
    "TextEncoderSpec",
    "TrainSet",
    "UnpromptError",
    "Verdict",
    "compare",
    "cosine",
    "find_prompts",
    "folder_images",
    "hookimpl",
    "load_ensemble",
    "load_run",
    "run",
    "score",
    "search",
    "train_members",
    "unit",
]

MODULES = ["artifacts", "bank", "testing", "towers", "train"]


# Names


def test_public_names_are_pinned() -> None:
    assert sorted(package.__all__) == sorted(PUBLIC)
    assert dir(package) == sorted([*PUBLIC, *MODULES])


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_resolve(name: str) -> None:
    value = getattr(package, name)
    assert value is getattr(package, name)
    assert getattr(value, "__doc__", None)


@pytest.mark.parametrize("name", MODULES)
def test_public_modules_need_no_import_of_their_own(name: str) -> None:
    program = f"import unprompt; print(unprompt.{name}.__name__)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"unprompt.{name}"


def test_other_names_are_no_attributes() -> None:
    with pytest.raises(AttributeError, match="module 'unprompt' has no attribute 'Predictr'"):
        package.Predictr  # noqa: B018  # looking it up is the test


def test_importing_is_free() -> None:
    program = "import sys, unprompt; print([m for m in sys.modules if m.startswith('unprompt')])"
    completed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert completed.stdout == "['unprompt']\n"


# Modules


def test_modules_are_short() -> None:
    modules = [path for root in ("core", "plugins") for path in (ROOT / root).rglob("*.py")]
    lines = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8").count("\n")
        for path in modules
    }
    assert len(lines) > 60
    assert {name: count for name, count in lines.items() if count > 300} == {}


# Plugins


def test_every_plugin_folder_has_an_entry_point() -> None:
    folders = {path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py")}
    assert folders == {path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()}
    assert folders <= {value.partition(".")[0] for value in ENTRY_POINTS.values()}


@pytest.mark.parametrize("name", sorted(ENTRY_POINTS))
def test_every_entry_point_resolves_and_offers_what_it_is_called(name: str) -> None:
    module = importlib.import_module(ENTRY_POINTS[name])
    hooks = [getattr(module, hook) for hook in dir(module) if hook.startswith("unprompt_")]
    specs = [hook() for hook in hooks if hook.__name__ in _OFFERS]
    assert [spec.name for spec in specs] == [name]
    target, _, attribute = specs[0].target.partition(":")
    assert isinstance(getattr(importlib.import_module(target), attribute), type)


_OFFERS = ("unprompt_predictor", "unprompt_dataset", "unprompt_text_encoder", "unprompt_observer")


def test_the_installed_entry_points_are_those_of_the_project() -> None:
    claims = [claim for claim in Registry().claims if claim.distribution == "unprompt"]
    assert {claim.name: claim.module for claim in claims} == ENTRY_POINTS


# YAML


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_yaml_file_that_ships_is_valid(path: Path) -> None:
    kind, plain = load_any(path, Registry())
    assert kind == KINDS[path.parent.name]
    assert plain["name"]
