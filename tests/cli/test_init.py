"""``unprompt init``: the files that ship, in a folder of one's own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., CompletedProcess[str]]

FILES = [
    "ensembles/embedded.yaml",
    "ensembles/kaggle-68th.yaml",
    "ensembles/strong.yaml",
    "experiments/quickstart.yaml",
    "ensembles/schema.json",
    "experiments/schema.json",
]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_writes_what_ships(unprompt: Command, root: Path) -> None:
    done = unprompt("init")
    assert done.returncode == 0, done.stderr
    *written, blank, title, first, second = done.stdout.splitlines()
    assert set(written) >= set(FILES)
    assert written == [name for name in written if Path(name).is_file()]
    assert [blank, title] == ["", "Next:"]
    for name in written:
        if name.endswith(".yaml"):
            assert Path(name).read_bytes() == (root / name).read_bytes()
            assert (
                Path(name).read_text().startswith("# yaml-language-server: $schema=schema.json\n")
            )
    yaml_files = [name for name in written if name.endswith(".yaml")]
    assert unprompt("config", "validate", *yaml_files).returncode == 0
    assert first.split() == ["unprompt", "run", "experiments/quickstart.yaml"]
    assert second.split() == ["unprompt", "check", "ensembles/strong.yaml"]


def test_a_second_time_it_says_what_is_there(unprompt: Command) -> None:
    count = len(unprompt("init", "my folder").stdout.splitlines()) - 4
    before = {path: path.stat().st_mtime_ns for path in Path("my folder").rglob("*.*")}
    done = unprompt("init", "my folder")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == f"{count} of {count} files were there already"
    assert "unprompt run 'my folder/experiments/quickstart.yaml'" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_other_files_are_named_and_nothing_is_written(unprompt: Command, root: Path) -> None:
    Path("ensembles").mkdir()
    Path("ensembles/strong.yaml").write_text("mine")
    Path("ensembles/schema.json").write_text('{"title": "mine"}')
    Path("experiments/quickstart.yaml").mkdir(parents=True)
    done = unprompt("init")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"{name}: is there already and different; --overwrite replaces it"
        for name in (
            "ensembles/strong.yaml",
            "experiments/quickstart.yaml",
            "ensembles/schema.json",
        )
    ]
    assert sorted(path.name for path in Path().rglob("*.*")) == [
        *("quickstart.yaml", "schema.json", "strong.yaml")
    ]
    Path("experiments/quickstart.yaml").rmdir()
    assert unprompt("init", "--overwrite").returncode == 0
    assert (
        Path("ensembles/strong.yaml").read_bytes() == (root / "ensembles/strong.yaml").read_bytes()
    )


def test_a_failure_leaves_nothing(unprompt: Command) -> None:
    Path("there/experiments").mkdir(parents=True)
    Path("there/experiments/schema.json").mkdir()  # cannot be replaced
    done = unprompt("init", "there", "--overwrite")
    assert done.returncode == 2
    assert done.stderr == "there/experiments/schema.json: is a folder, not a file\n"
    assert [path for path in Path("there").rglob("*") if path.is_file()] == []
    assert os.listdir("there") == ["experiments"]


def test_a_file_is_no_folder(unprompt: Command) -> None:
    Path("file").write_text("")
    done = unprompt("init", "file")
    assert (done.returncode, done.stderr) == (2, "file: is a file, not a folder\n")


PLUGIN = """
from unprompt import Model, PredictorSpec, hookimpl

class Options(Model):
    depth: int

@hookimpl
def unprompt_predictor():
    return PredictorSpec("deep", "dives", Options, "deep_plugin:Deep")
"""


def test_schemas_are_made_anew_with_the_plugins_that_load(
    unprompt: Command, install_plugin: Callable[..., Path]
) -> None:
    assert unprompt("init").returncode == 0
    install_plugin("deep", PLUGIN)
    install_plugin("broken", "import no_such_module_here")
    done = unprompt("init")
    assert done.returncode == 0
    written = [line for line in done.stdout.splitlines() if line.endswith(".json")]
    assert written == ["ensembles/schema.json", "experiments/schema.json"]
    assert done.stderr == (
        "plugin 'broken' (from unprompt-broken 1.0) failed to load: ModuleNotFoundError: No module "
        "named 'no_such_module_here'; its options are not in the schemas\n"
    )
    document = json.loads(Path("ensembles/schema.json").read_text())
    assert "predictor.deep.Options" in document["$defs"]
