"""Commands that only look at names and YAML import no heavy library."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

HEAVY = {
    "faiss",
    "open_clip",
    "optuna",
    "sentence_transformers",
    "sklearn",
    "timm",
    "torch",
    "transformers",
}

PROGRAM = """
import json, sys
from unprompt._cli.app import main
sys.argv = ["unprompt", *sys.argv[1:]]
code = 0
try:
    main()
except SystemExit as stop:
    code = stop.code
sys.stdout.flush()
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "plugins",
        "plugins --json",
        "config validate ensembles/embedded.yaml experiments/quickstart.yaml",
        "config schema",
        "bank --help",
        "bank build --help",
    ],
)
def test_light_commands_import_nothing_heavy(line: str, root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *line.split()],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    code, modules = json.loads(done.stderr)
    assert code in (0, None)
    assert done.stdout.strip()
    assert "unprompt._cli.app" in modules
    assert HEAVY & set(modules) == set()


def test_the_heavy_names_are_those_of_installed_libraries() -> None:
    installed = {name for name in HEAVY if importlib.util.find_spec(name)}
    assert installed == HEAVY


def test_version(unprompt: Callable[..., CompletedProcess[str]]) -> None:
    done = unprompt("--version")
    assert done.returncode == 0
    assert done.stdout == f"unprompt {importlib.metadata.version('unprompt')}\n"


@pytest.mark.parametrize("words", [["paint"], ["config", "paint"], ["plugins", "--paint"]])
def test_unknown_commands_and_switches_exit_with_2(
    words: list[str], unprompt: Callable[..., CompletedProcess[str]]
) -> None:
    done = unprompt(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "paint" in done.stderr
    assert "Traceback" not in done.stderr


def test_plugins_as_json(unprompt: Callable[..., CompletedProcess[str]]) -> None:
    done = unprompt("plugins", "--json")
    assert done.returncode == 0
    rows = json.loads(done.stdout)
    keys = {"name", "module", "distribution", "version", "path", "write", "usable"}
    assert all(set(row) == keys for row in rows)
    ours = {row["name"]: row for row in rows if row["distribution"] == "unprompt"}
    assert {"painter", "minilm", "knn-vit-h", "clip-l14", "pairs", "kaggle"} <= set(ours)
    assert ours["painter"]["module"] == "unprompt_painter.painter"
    assert ours["painter"]["version"] == importlib.metadata.version("unprompt")
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)


def test_plugins_as_a_table_says_the_same(
    unprompt: Callable[..., CompletedProcess[str]],
) -> None:
    rows = json.loads(unprompt("plugins", "--json").stdout)
    header, *lines = unprompt("plugins").stdout.splitlines()
    assert header.split() == ["name", "package", "module"]
    assert [line.split()[0] for line in lines] == [row["name"] for row in rows]
    assert [line.split()[-1] for line in lines] == [row["module"] for row in rows]


def test_show_prints_what_validate_accepts(
    unprompt: Callable[..., CompletedProcess[str]], root: Path, tmp_path: Path
) -> None:
    shown = unprompt(
        "config", "show", root / "experiments" / "quickstart.yaml", "--set=search.trials=7"
    )
    assert shown.returncode == 0, shown.stderr
    copy = tmp_path / "copy.yaml"
    copy.write_text(shown.stdout)
    assert "trials: 7" in shown.stdout
    assert unprompt("config", "validate", copy).stdout == f"{copy}: a valid experiment\n"
    assert unprompt("config", "show", copy).stdout == shown.stdout
