"""Stdout holds results only, whichever way a plugin of another distribution writes to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

InstallPlugin = Callable[..., Path]

NOISE = """
import atexit, os, subprocess, sys
os.write(1, b"by descriptor\\n")
subprocess.run(["echo", "by a child"], check=True)
sys.__stdout__.write("by the original\\n")
atexit.register(print, "at the end")
kept = open(1, "w", closefd=False)
kept.write("by its own stream\\n")
"""
LINES = {"by descriptor", "by a child", "by the original", "at the end", "by its own stream"}

SPEC = """
from unprompt import DatasetSpec, Model, hookimpl

class Options(Model):
    pass

@hookimpl
def unprompt_dataset():
    return DatasetSpec("gallery", "none", Options, "gallery_plugin:Options")
"""


def command(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, where stdout is a real descriptor."""
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", "from unprompt._cli.app import main; main()", *words],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """An experiment whose dataset is the plugin's."""
    path = tmp_path / "gallery.yaml"
    members = "[{plugin: knn-vit-h}]"
    path.write_text(f"name: g\ndata: {{plugin: gallery}}\nensemble: {{members: {members}}}\n")
    return path


def test_nothing_that_a_plugin_writes_is_among_the_results(
    install_plugin: InstallPlugin, experiment: Path
) -> None:
    folder = install_plugin("gallery", NOISE + SPEC)
    done = command(folder, "config", "show", experiment)
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["data"]["plugin"] == "gallery"
    assert set(done.stderr.splitlines()) == LINES


def test_a_plugin_that_closes_stdout_keeps_no_result_back(
    install_plugin: InstallPlugin, experiment: Path
) -> None:
    folder = install_plugin("gallery", "import os\nos.close(1)\n" + SPEC)
    done = command(folder, "config", "show", experiment)
    assert (done.returncode, done.stderr) == (0, "")
    assert yaml.safe_load(done.stdout)["data"]["plugin"] == "gallery"


@pytest.mark.parametrize(
    ("code", "ending"),
    [("os._exit(0)", "with exit code 0"), ("os.kill(os.getpid(), 9)", "by SIGKILL")],
)
def test_check_names_a_plugin_that_ends_its_process(
    code: str, ending: str, install_plugin: InstallPlugin
) -> None:
    points = {"early": "gallery_plugin", "gallery": "other", "late": "third"}
    folder = install_plugin(
        "gallery", NOISE + SPEC.replace('"gallery"', '"early"'), entry_points=points
    )
    (folder / "other.py").write_text(f"import os\n{code}\n")
    (folder / "third.py").write_text(SPEC.replace('"gallery"', '"late"'))
    done = command(folder, "plugins", "--check", "--json")
    assert done.returncode == 1
    assert LINES - {"at the end", "by its own stream"} <= set(done.stderr.splitlines())
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["gallery"]["error"] == (
        "plugin 'gallery' (from unprompt-gallery 1.0) "
        f"ended the process {ending} while it was loaded"
    )
    assert rows["early"]["offers"] == rows["late"]["offers"] == ["dataset"]
    assert [name for name, row in rows.items() if row["error"]] == ["gallery"]
