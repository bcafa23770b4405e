"""Errors of a plugin of another distribution name the plugin, and stop no other plugin."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

HookCalls = Callable[[], list[list[object]]]
Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]


def test_mistakes_in_its_options_are_located(
    installed: Path, log: Path, unprompt: Command, monkeypatch: pytest.MonkeyPatch, solo: Path
) -> None:
    monkeypatch.chdir(solo.parent)
    options = "\n    options:\n      scale: -2\n      fualt: drops"
    text = solo.read_text().replace("[{plugin: grey, name: grim}]", "\n  - plugin: grey" + options)
    solo.write_text(text)
    done = unprompt("run", solo.name)
    assert done.returncode == 2
    key = "ensemble.members.0.options"
    assert done.stderr.splitlines() == [
        f"solo.yaml:7:7: {key}.scale: should be more than 0, got -2",
        f"solo.yaml:8:7: {key}.fualt: unknown key; did you mean 'fault'?",
    ]
    assert not log.exists()


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("drops", "did not predict each image once: missing '0"),
        ("repeats", "did not predict each image once: repeated '0"),
        ("nan", "values that are not finite: '0"),
        ("long", "rows are not unit length: '0"),
        ("another dim", "predicted rows of 12 numbers, not of 384"),
    ],
)
def test_a_predictor_that_breaks_the_contract_is_named(
    fault: str,
    what: str,
    installed: Path,
    unprompt: Command,
    tmp_path: Path,
    solo: Path,
    hook_calls: HookCalls,
) -> None:
    done = unprompt("run", solo, "--set", f"ensemble.members.grim.options.fault={fault}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"member 'grim' (plugin 'grey'): {what}")
    assert [call[2] for call in hook_calls()] == ["started", "failed"]
    assert hook_calls()[-1][-1] == line
    assert not (tmp_path / "runs").exists()


def test_a_hook_that_raises_ends_the_run_and_is_named(
    install_plugin: InstallPlugin, unprompt: Command, tmp_path: Path, solo: Path
) -> None:
    source = "from unprompt import hookimpl\n" + "".join(
        f"@hookimpl\ndef unprompt_{name}:\n    raise ValueError('in {name[:10]}')\n"
        for name in ("run_started(run)", "run_failed(run, error)")
    )
    install_plugin("watcher", source)
    text = solo.read_text().replace("{plugin: grey, name: grim}", "{plugin: knn-vit-h}")
    solo.write_text(text + "observers: [watcher]\n")
    done = unprompt("run", solo)
    assert done.returncode == 2
    owner = "plugin 'watcher' (from unprompt-watcher 1.0)"
    assert done.stderr.splitlines() == [
        f"{owner}: unprompt_run_started raised ValueError: in run_starte",
        f"{owner}: unprompt_run_failed raised ValueError: in run_failed",
    ]
    assert not (tmp_path / "runs").exists()


def test_a_broken_plugin_stops_no_other_plugin(
    installed: Path, install_plugin: InstallPlugin, unprompt: Command, solo: Path
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
    done = unprompt("run", solo)
    assert done.returncode == 0, done.stderr


def test_a_broken_plugin_in_yaml_is_a_located_mistake(
    install_plugin: InstallPlugin,
    unprompt: Command,
    solo: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(solo.parent)
    install_plugin("grey", "raise RuntimeError('no\\nluck')\n")
    done = unprompt("run", solo.name)
    assert done.returncode == 2
    assert done.stderr == (
        "solo.yaml:4:14: ensemble.members.0.plugin: plugin 'grey' (from unprompt-grey 1.0) "
        "failed to load: RuntimeError: no luck\n"
    )
