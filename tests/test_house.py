"""The rules of the house: public names, short modules, a complete wheel, YAML files that hold."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import tomllib
import zipfile
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
    "Images",
    "LoadedEnsemble",
    "Location",
    "Manifest",
    "MissingFileError",
    "Model",
    "Need",
    "OutputError",
    "PluginError",
    "PredictionScore",
    "Predictions",
    "Predictor",
    "PredictorSpec",
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
    "hookimpl",
    "load_ensemble",
    "load_run",
    "run",
    "score",
    "search",
    "unit",
]


def shipped() -> list[Path]:
    """Every file below the two source roots, as the wheel should name it."""
    roots = [ROOT / "core", ROOT / "plugins"]
    found = [path.relative_to(root) for root in roots for path in root.rglob("*") if path.is_file()]
    return [path for path in found if "__pycache__" not in path.parts and len(path.parts) > 1]


# Names


def test_public_names_are_pinned() -> None:
    assert sorted(package.__all__) == sorted(PUBLIC)
    assert dir(package) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_resolve(name: str) -> None:
    value = getattr(package, name)
    assert value is getattr(package, name)
    assert getattr(value, "__doc__", None)


def test_other_names_are_no_attributes() -> None:
    with pytest.raises(AttributeError, match="module 'unprompt' has no attribute 'Predictr'"):
        package.Predictr  # noqa: B018  # looking it up is the test


def test_importing_is_free() -> None:
    program = "import sys, unprompt; print([m for m in sys.modules if m.startswith('unprompt')])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['unprompt']\n"


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


_OFFERS = ("unprompt_predictor", "unprompt_dataset", "unprompt_text_encoder")


def test_the_installed_entry_points_are_those_of_the_project() -> None:
    claims = [claim for claim in Registry().claims if claim.distribution == "unprompt"]
    assert {claim.name: claim.module for claim in claims} == ENTRY_POINTS


# YAML


@pytest.mark.parametrize("path", YAML, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_yaml_file_that_ships_is_valid(path: Path) -> None:
    kind, plain = load_any(path, Registry())
    assert kind == KINDS[path.parent.name]
    assert plain["name"]


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The project's wheel, built as a release is."""
    folder = tmp_path_factory.mktemp("wheel")
    here = [name for name in ("build", "hatchling") if importlib.util.find_spec(name)]
    command = [sys.executable, "-m"]
    if here == ["build", "hatchling"]:
        command += ["build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    else:
        isolation = ["--no-build-isolation"] if "hatchling" in here else []
        command += ["pip", "wheel", "--no-deps", *isolation, "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_everything_below_core_and_plugins(wheel: zipfile.ZipFile) -> None:
    wanted = {path.as_posix() for path in shipped()}
    assert len(wanted) > 70
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == wanted
    assert "unprompt/py.typed" in inside
    for name in ("clip-a/open_clip_model.safetensors", "clip-a/tokenizer.json"):
        info = wheel.getinfo(f"unprompt_painter/checkpoints/{name}")
        assert info.file_size == (ROOT / "plugins" / info.filename).stat().st_size > 10_000


def test_the_wheel_claims_no_other_name(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert all(top.startswith("unprompt") for top in tops)
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "unprompt",
        *(path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()),
    }


def test_the_wheel_says_what_the_project_says(wheel: zipfile.ZipFile) -> None:
    (name,) = (one for one in wheel.namelist() if one.endswith(".dist-info/entry_points.txt"))
    text = wheel.read(name).decode()
    lines = [f"{key} = {value}" for key, value in ENTRY_POINTS.items()]
    assert {"unprompt = unprompt._cli.app:main", *lines} <= set(text.splitlines())
    assert any(one.endswith(".dist-info/licenses/LICENSE") for one in wheel.namelist())


# The gate


def test_the_gate_finds_two_commands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    if "<!-- two commands -->" not in readme:
        pytest.skip("the README is not written yet")
    (line,) = (
        one for one in (ROOT / ".ci" / "run").read_text().splitlines() if one.startswith("mapfile")
    )
    pipeline = line.partition("<(")[2].rpartition(")")[0]
    done = subprocess.run(
        ["bash", "-c", pipeline], cwd=ROOT, capture_output=True, text=True, check=True
    )
    commands = done.stdout.splitlines()
    assert len(commands) == 2
    assert all(command.startswith("pip install ") for command in commands)
    assert "pytest" in commands[1]
