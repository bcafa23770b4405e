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
from unprompt import Dataset, DatasetSpec, Model, hookimpl

class Options(Model):
    pass

class Gallery(Dataset):
    def __init__(self, options): pass
    def records(self): return ()
    def images(self): pass

@hookimpl
def unprompt_dataset():
    return DatasetSpec("gallery", "none", Options, "gallery_plugin:Gallery")
"""


def started(folder: Path, *words: str | Path) -> subprocess.Popen[str]:
    """The command in a process of its own, where stdout is a real descriptor."""
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", "from unprompt._cli.app import main; main()", *words],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def command(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """The same, when it has ended."""
    with started(folder, *words) as process:
        out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


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
    [
        ("import posix; posix._exit(0)", "with exit code 0"),
        ("os.kill(os.getpid(), 9)", "by SIGKILL"),
    ],
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


THREAD = """
import os, threading, time

def work():
    for _ in range(3000):
        if not os.path.exists({path!r}):
            return
        time.sleep(0.01)
    os.remove({path!r})

threading.Thread(target=work, name="its work").start()
"""


def test_a_thread_that_the_command_waits_for_is_named(
    install_plugin: InstallPlugin, experiment: Path, tmp_path: Path
) -> None:
    busy = tmp_path / "busy"
    busy.touch()
    folder = install_plugin("gallery", THREAD.format(path=str(busy)) + SPEC)
    with started(folder, "config", "show", experiment) as process:
        assert process.stderr
        line = process.stderr.readline()
        busy.unlink()  # which ends the thread
        process.communicate(timeout=60)
    owner = "plugin 'gallery' (from unprompt-gallery 1.0)"
    assert line == f"waiting for thread 'its work', which was started in a call of {owner}\n"
    assert process.returncode == 0


def test_check_waits_for_no_thread_of_a_plugin(
    install_plugin: InstallPlugin, tmp_path: Path
) -> None:
    busy = tmp_path / "busy"
    busy.touch()
    folder = install_plugin("gallery", THREAD.format(path=str(busy)) + SPEC)
    done = command(folder, "plugins", "--check")
    assert busy.exists(), "the thread, which removes it at last, was waited for"
    assert (done.returncode, done.stderr) == (0, "")
