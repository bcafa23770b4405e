"""Errors of a plugin of another distribution name the plugin, and stop no other plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
    assert line.startswith(f"member 'grim': {OWNER}: Grey.predict: {what}")
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
    assert done.returncode == 1
    owner = "plugin 'watcher' (from unprompt-watcher 1.0)"
    assert done.stderr.splitlines()[:2] == [
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
    assert done.returncode == 1
    line, _, below = done.stderr.partition("\n")
    assert line == (
        "solo.yaml:4:14: ensemble.members.0.plugin: plugin 'grey' (from unprompt-grey 1.0) "
        "failed to load: RuntimeError: no luck"
    )
    assert below.splitlines()[2] == "    raise RuntimeError('no\\nluck')"


OWNER = "plugin 'grey' (from unprompt-grey 2.5)"


@pytest.mark.parametrize(
    ("call", "words"), [("prepare", "SystemExit: 0"), ("predict", "SystemExit: go away")]
)
def test_a_member_that_exits_ends_the_run_with_an_error(
    call: str,
    words: str,
    installed: Path,
    unprompt: Command,
    tmp_path: Path,
    solo: Path,
    hook_calls: HookCalls,
) -> None:
    fault = f"ensemble.members.grim.options.fault=exits in {call}"
    done = unprompt("run", solo, "--set", fault)
    assert (done.returncode, done.stdout) == (1, "")
    what = f"{OWNER}: Grey.{call} ended the program: {words}"
    assert done.stderr.splitlines()[0] == f"member 'grim': {what}"
    assert [call[2] for call in hook_calls()] == ["started", "failed"]
    assert not (tmp_path / "runs").exists()


def test_a_bug_in_a_member_keeps_its_traceback_below_the_line_that_names_it(
    installed: Path, unprompt: Command, solo: Path
) -> None:
    done = unprompt("run", solo, "--set", "ensemble.members.grim.options.fault=raises")
    assert (done.returncode, done.stdout) == (1, "")
    line, *below = done.stderr.splitlines()
    what = "ZeroDivisionError: in predict"
    assert line == f"member 'grim': {OWNER}: Grey.predict raised {what}"
    assert below[0] == "Traceback (most recent call last):"
    assert "grey_family.py" in below[1], "the first frame is the plugin's"
    assert below[-1] == what


def test_what_a_member_prints_is_no_result(installed: Path, unprompt: Command, solo: Path) -> None:
    done = unprompt("run", solo, "--set", "ensemble.members.grim.options.fault=prints")
    assert done.returncode == 0, done.stderr
    assert {"preparing", "predicting"} <= set(done.stderr.splitlines())
    assert "ing\n" not in done.stdout


@pytest.mark.parametrize("hook", ["run_started(run)", "run_finished(run, scores)"])
def test_an_observer_that_exits_is_named(
    hook: str, installed: Path, install_plugin: InstallPlugin, unprompt: Command, solo: Path
) -> None:
    install_plugin(
        "watcher",
        f"import sys\nfrom unprompt import hookimpl\n@hookimpl\ndef unprompt_{hook}: sys.exit(0)\n",
    )
    solo.write_text(solo.read_text() + "observers: [watcher]\n")
    done = unprompt("run", solo)
    assert (done.returncode, done.stdout) == (1, "")
    owner = "plugin 'watcher' (from unprompt-watcher 1.0)"
    name = hook.partition("(")[0]
    assert f"{owner}: unprompt_{name} raised SystemExit: 0" in done.stderr.splitlines()


DATASET = """
import sys
from unprompt import Dataset, DatasetSpec, Model, hookimpl

class Options(Model):
    pass

class Gallery(Dataset):
    def __init__(self, options): pass
    def records(self): sys.exit(0)
    def images(self): sys.exit(0)

@hookimpl
def unprompt_dataset():
    return DatasetSpec("gallery", "none", Options, "gallery_plugin:Gallery")
"""


def test_a_dataset_that_exits_is_named(
    installed: Path, install_plugin: InstallPlugin, unprompt: Command, solo: Path
) -> None:
    install_plugin("gallery", DATASET)
    done = unprompt("run", solo, "--set", "data={plugin: gallery}")
    assert (done.returncode, done.stdout) == (1, "")
    owner = "plugin 'gallery' (from unprompt-gallery 1.0)"
    line = f"{owner}: Gallery.records ended the program: SystemExit: 0"
    assert done.stderr.splitlines()[0] == line


def test_a_plugin_that_exits_while_it_is_imported(
    install_plugin: InstallPlugin, unprompt: Command
) -> None:
    install_plugin("leaver", "import sys\nprint('hello')\nsys.exit(0)\n")
    done = unprompt("plugins", "--check", "--json")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "hello"
    errors = {row["name"]: row["error"] for row in json.loads(done.stdout)}
    owner = "plugin 'leaver' (from unprompt-leaver 1.0)"
    assert errors.pop("leaver") == f"{owner} failed to load: SystemExit: 0"
    assert set(errors.values()) == {None}


def _pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


POINTS = "entry_points.txt"

BROKEN: dict[str, tuple[str, Callable[[Path], object]]] = {
    "no entry point": (POINTS, lambda path: path.write_text("[unprompt]\nno entry point\n")),
    "not text": (POINTS, lambda path: path.write_bytes(b"\xff\xfe[x]\n")),
    "byte order mark": (POINTS, lambda path: path.write_bytes(b"\xef\xbb\xbf[unprompt]\na = a\n")),
    "folder": (POINTS, Path.mkdir),
    "pipe": (POINTS, _pipe),
    "metadata is a pipe": ("METADATA", _pipe),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_package_with_broken_metadata_is_named_and_the_rest_works(
    fault: str, installed: Path, tmp_path: Path
) -> None:
    metadata = tmp_path / "broken" / "broken-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    name, write = BROKEN[fault]
    write(metadata / name)
    program = (
        "from importlib.metadata import entry_points, packages_distributions\n"
        "from unprompt._cli.app import main\n"
        "try: main()\n"
        # as torch, triton and transformers do while they are imported
        "finally: entry_points(), packages_distributions()"
    )
    path = [str(metadata.parent), str(installed), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-c", program, "plugins", "--json"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert {"grey", "painter"} <= {row["name"] for row in json.loads(done.stdout)}
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"package {metadata}: {name} cannot be read (")
