"""``unprompt config schema``: every plugin's options, or an error that names the plugin."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from jsonschema import Draft202012Validator

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]

PLUGIN = """
from pydantic import BaseModel, ConfigDict, Field

from unprompt import DatasetSpec, Model, PredictorSpec, TextEncoderSpec, hookimpl

class Inner(Model):
    FIELD: int = Field(description="In metres.")

class Options(Model):
    inner: Inner

@hookimpl
def unprompt_predictor():
    return PredictorSpec("NAME", "of FIELD", Options, "nowhere:Member")

@hookimpl
def unprompt_text_encoder():
    return TextEncoderSpec("NAME", "of FIELD", Options, "nowhere:Encoder")
"""


def plugin(name: str, field: str) -> str:
    return PLUGIN.replace("NAME", name).replace("FIELD", field)


def validator(done: CompletedProcess[str]) -> Draft202012Validator:
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def ensemble(**member: Any) -> dict[str, Any]:
    return {"members": [member]}


def test_plugins_with_models_of_the_same_names(
    unprompt: Command, install_plugin: InstallPlugin
) -> None:
    install_plugin("short", plugin("short", "width"))
    install_plugin("long", plugin("long", "height"))
    is_valid = validator(unprompt("config", "schema", "ensemble")).is_valid
    width, height = {"inner": {"width": 1}}, {"inner": {"height": 1}}
    assert is_valid(ensemble(plugin="short", options=width))
    assert is_valid(ensemble(plugin="long", options=height))
    assert not is_valid(ensemble(plugin="short", options=height))
    assert not is_valid(ensemble(plugin="long", options=width))
    assert not is_valid(ensemble(plugin="long"))  # its options are needed
    assert not is_valid(ensemble(plugin="longer", options={}))
    encoder = {"text_encoder": {"plugin": "short", "options": width}}
    assert is_valid(ensemble(plugin="long", options=height) | encoder)
    encoder = {"text_encoder": {"plugin": "short", "options": height}}
    assert not is_valid(ensemble(plugin="long", options=height) | encoder)
    assert not is_valid(ensemble(plugin="painter"))  # a dataset


def test_one_name_from_two_distributions(unprompt: Command, install_plugin: InstallPlugin) -> None:
    install_plugin("twice", plugin("twice", "width"), distribution="one-dist")
    points = {"twice": "other_plugin"}
    install_plugin("other", plugin("twice", "height"), distribution="Two_Dist", entry_points=points)
    is_valid = validator(unprompt("config", "schema")).is_valid
    width, height = {"inner": {"width": 1}}, {"inner": {"height": 1}}
    assert not is_valid(ensemble(plugin="twice", options=width))  # which of both?
    assert is_valid(ensemble(plugin="one-dist:twice", options=width))
    assert not is_valid(ensemble(plugin="one-dist:twice", options=height))
    assert is_valid(ensemble(plugin="two-dist:twice", options=height))
    assert not is_valid(ensemble(plugin="two-dist:twice", options=width))


OBSERVERS = """
from unprompt import Model, ObserverSpec, hookimpl

class Options(Model):
    table: str

@hookimpl
def unprompt_observer():
    return ObserverSpec("diary", "keeps a table", Options, "nowhere:Diary")
"""
HOOKS = """
from unprompt import hookimpl

@hookimpl
def unprompt_run_finished(run, scores):
    pass
"""


def test_observers(unprompt: Command, install_plugin: InstallPlugin) -> None:
    install_plugin("diary", OBSERVERS)
    install_plugin("bell", HOOKS)
    install_plugin("member", plugin("member", "width"))
    is_valid = validator(unprompt("config", "schema", "experiment")).is_valid

    def observed(*observers: Any) -> bool:
        data = {"plugin": "painter"}
        members = ensemble(plugin="knn-vit-h")
        experiment = {"name": "x", "data": data, "ensemble": members, "observers": [*observers]}
        return bool(is_valid(experiment))

    assert observed()
    assert observed("bell", {"plugin": "bell"}, {"plugin": "diary", "options": {"table": "x"}})
    assert not observed({"plugin": "diary", "options": {"tabel": "x"}})
    assert not observed({"plugin": "diary"})  # its table is needed
    assert not observed({"plugin": "bell", "options": {"table": "x"}})
    assert not observed("bel")
    assert not observed("member")
    assert not observed(3)


@pytest.mark.parametrize("name", ["a b", "a/b", "a~1%20{model}", "ümlaut", "a.partial"])
def test_any_name_of_a_plugin(name: str, unprompt: Command, install_plugin: InstallPlugin) -> None:
    install_plugin("odd", plugin(name, "width"), entry_points={name: "odd_plugin"})
    is_valid = validator(unprompt("config", "schema", "ensemble")).is_valid
    assert is_valid(ensemble(plugin=name, options={"inner": {"width": 1}}))
    assert not is_valid(ensemble(plugin=name, options={"inner": {"width": "a"}}))


def test_every_broken_plugin_is_named(unprompt: Command, install_plugin: InstallPlugin) -> None:
    install_plugin("no-import", "import no_such_module_here")
    install_plugin("exits", "raise SystemExit(0)")
    code = plugin("bad-schema", "width").replace(
        "class Options(Model):",
        "class Options(Model):\n    model_config = {'json_schema_extra': {'x': object()}}",
    )
    install_plugin("bad-schema", code)
    done = unprompt("config", "schema")
    assert done.returncode == 1  # code of plugins failed
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("plugin ")]
    assert [line.partition(")")[0] + ")" for line in lines] == [
        f"plugin {name!r} (from unprompt-{name} 1.0)"
        for name in ("bad-schema", "exits", "no-import")
    ]
    assert "its options cannot be written as JSON Schema: TypeError" in lines[0]


@pytest.mark.parametrize("kind", ["ensemble", "experiment", "recipe"])
def test_each_kind_has_a_title(kind: str, unprompt: Command) -> None:
    document = validator(unprompt("config", "schema", kind)).schema
    assert kind in document["title"]
    assert f"`unprompt config schema {kind}`" in document["$comment"]


def test_an_unknown_kind_is_a_mistake(unprompt: Command) -> None:
    done = unprompt("config", "schema", "ensembel")
    assert done.returncode == 2
    assert "'ensembel' is not one of 'ensemble', 'experiment', 'recipe'" in done.stderr
