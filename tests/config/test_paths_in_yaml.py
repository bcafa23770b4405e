"""Resolved ensembles and experiments: defaults, and where relative paths in YAML start."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from unprompt import ConfigError, Location, Model
from unprompt._config.check import finish, validate
from unprompt._config.source import read
from unprompt._registry.loading import load_ensemble, load_experiment
from unprompt._registry.parts import Experiment
from unprompt._registry.plugins import Registry


def test_a_resolved_ensemble_contains_every_default(echo_folder: Path) -> None:
    (echo_folder / "e.yaml").write_text("members: [{plugin: echo, options: {bank: b}}]")
    ensemble = load_ensemble(echo_folder / "e.yaml", Registry())
    assert ensemble.plain() == {
        "name": "ensemble",
        "text_encoder": ensemble.text_encoder.plain(),
        "members": [
            {
                "name": "echo",
                "plugin": "echo",
                "options": {
                    "depth": 3,
                    "words": [],
                    "bank": str(echo_folder / "b"),
                    "kernel": {"temperature": 1.0},
                },
                "weight": 1.0,
            }
        ],
    }
    assert ensemble.text_encoder.plugin == "minilm"


def test_relative_paths_in_an_included_ensemble_start_at_the_ensemble(echo_folder: Path) -> None:
    (echo_folder / "ensembles").mkdir()
    (echo_folder / "ensembles/e.yaml").write_text("members: [{plugin: echo, options: {bank: b}}]")
    (echo_folder / "top.yaml").write_text("include: ensembles/e.yaml")
    (member,) = load_ensemble(echo_folder / "top.yaml", Registry()).members
    assert member.part.options.model_dump()["bank"] == str(echo_folder / "ensembles/b")


def test_every_relative_path_starts_at_the_folder_of_its_file(echo_folder: Path) -> None:
    for folder in ("ensembles", "parts", "experiments"):
        (echo_folder / folder).mkdir()
    (echo_folder / "parts/p.yaml").write_text("depth: 5\nbank: b\n")
    member = "{plugin: echo, artifact: a, options: {include: ../parts/p.yaml}}"
    (echo_folder / "ensembles/e.yaml").write_text(f"members: [{member}]")
    data = "data: {plugin: kaggle, options: {folder: k}}"
    top = f"name: x\n{data}\nensemble: {{include: ../ensembles/e.yaml}}\n"
    (echo_folder / "experiments/x.yaml").write_text(top)
    path = echo_folder / "experiments/x.yaml"
    experiment = load_experiment(path, Registry())
    (echo,) = experiment.ensemble.members
    assert echo.artifact
    assert echo.artifact.resolve() == echo_folder / "ensembles/a"
    assert _bank(experiment).resolve() == echo_folder / "parts/b"
    assert experiment.dataset.options.model_dump()["folder"] == str(echo_folder / "experiments/k")
    overridden = load_experiment(path, Registry(), ["ensemble.members.echo.options.bank=c"])
    assert _bank(overridden).resolve() == echo_folder / "parts/c"  # as the text that it overrides
    from_command_line = load_experiment(
        path, Registry(), ["ensemble.members.echo.options.bank=./c"]
    )
    assert _bank(from_command_line) == echo_folder / "c"


def _bank(experiment: Experiment) -> Path:
    return Path(experiment.ensemble.members[0].part.options.model_dump()["bank"])


class Where(Model):
    at: Location


def _at(folder: Path, value: str) -> Location:
    (folder / "w.yaml").write_text(f"at: {value}", encoding="utf-8")
    source = read(folder / "w.yaml")
    model = validate(source, Where)
    finish(source)
    assert model
    return model.at


def test_a_location_is_relative_to_its_yaml(tmp_path: Path) -> None:
    assert _at(tmp_path, "a/b").path == tmp_path / "a/b"
    assert _at(tmp_path, str(tmp_path / "x")).path == tmp_path / "x"
    assert _at(tmp_path, "~/x").path == Path.home() / "x"


def test_a_location_in_a_package_stays_as_it_was_written(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("unprompt")
    assert spec and spec.origin
    location = _at(tmp_path, "package:unprompt/py.typed")
    assert location.path == Path(spec.origin).parent / "py.typed"
    assert location.text == "package:unprompt/py.typed"
    assert Where(at=location).model_dump(mode="json") == {"at": "package:unprompt/py.typed"}


def test_an_earlier_name_of_a_packaged_folder_is_understood(tmp_path: Path) -> None:
    location = _at(tmp_path, "package:unprompt_painter/weights/clip-a")
    assert location.text == "package:unprompt_painter/checkpoints/clip-a"
    assert (location.path / "open_clip_config.json").is_file()


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("package:nope_nope/x", "no installed package 'nope_nope'"),
        ("package:../x", "no installed package '..'"),
        ("'package:'", "no installed package ''"),
        ("7", "should be a path"),
        ("''", "should be a path"),
        ("~nobody-of-this-name/x", "no home folder for '~nobody-of-this-name/x'"),
    ],
)
def test_a_wrong_location_is_one_line(tmp_path: Path, value: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _at(tmp_path, value)
    (line,) = caught.value.problems
    assert line.endswith(f"w.yaml:1:1: at: {what}")
