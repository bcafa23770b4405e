"""The guides say what the code does: generated parts are fresh, and every block is run."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from unprompt._registry.loading import load_experiment
from unprompt._registry.plugins import Registry
from unprompt.contracts import hookspecs
from unprompt_painter.world import World

ROOT = Path(__file__).parents[2]
GUIDES = [
    "README.md",
    "core/README.md",
    "ensembles/README.md",
    "experiments/README.md",
    "plugins/README.md",
]
ELSEWHERE = {
    ("README.md", "two commands"),  # .ci/run runs them to the letter
    ("README.md", "quickstart output"),  # tests/test_quickstart.py
    ("README.md", "own images"),  # likewise
    ("README.md", "study"),  # likewise
    ("README.md", "python"),  # likewise
}
SHOWN = {("core/README.md", None)}  # an image of the pipeline, not a command


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", Path(__file__).parent / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(guide: str) -> dict[str | None, str]:
    """The fenced blocks that people write themselves, by the comment above each."""
    text = (ROOT / guide).read_text(encoding="utf-8")
    text = re.sub(r"<!-- begin (\w+) -->.*?<!-- end \1 -->", "", text, flags=re.DOTALL)
    fenced = re.findall(r"(?:<!-- ([\w ]+) -->\n)?```\w+\n(.*?)```", text, flags=re.DOTALL)
    return {name or None: body for name, body in fenced}


@pytest.mark.parametrize(
    "guide", ["ensembles/README.md", "experiments/README.md", "plugins/README.md"]
)
def test_generated_parts_are_up_to_date(guide: str) -> None:
    filled: Callable[[str], str] = generator().filled
    assert (ROOT / guide).read_text(encoding="utf-8") == filled(guide), (
        "run: python tests/docs/generate.py"
    )


def test_every_hook_is_in_the_guide() -> None:
    guide = (ROOT / "plugins/README.md").read_text(encoding="utf-8")
    hooks = [name for name in vars(hookspecs) if name.startswith("unprompt_")]
    assert hooks
    assert [name for name in hooks if f"### `{name}(" not in guide] == []


def test_every_block_has_a_test() -> None:
    here = {
        ("README.md", "check"),
        ("README.md", "experiment"),
        ("plugins/README.md", "plugin"),
        ("plugins/README.md", "plugin pyproject"),
        ("plugins/README.md", "plugin test"),
    }
    written = {(guide, name) for guide in GUIDES for name in blocks(guide)}
    assert written == ELSEWHERE | SHOWN | here


def test_ci_runs_the_two_commands_of_the_readme() -> None:
    commands = blocks("README.md")["two commands"].splitlines()
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    [expression] = re.findall(
        r"^commands=\$\((sed .* README\.md \| grep .*)\)\n", script, re.MULTILINE
    )
    completed = subprocess.run(
        ["bash", "-c", expression], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert completed.stdout.splitlines() == commands
    assert len(commands) == 2
    assert all(command.startswith("pip install ") for command in commands)
    assert commands[1].endswith("pytest")


def test_the_experiment_of_the_readme_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "my-images.yaml"
    path.write_text(blocks("README.md")["experiment"], encoding="utf-8")
    experiment = load_experiment(path, Registry())
    assert [member.name for member in experiment.ensemble.members] == ["knn-vit-h", "clip-l14"]
    assert experiment.dataset.options.model_dump()["table"] == str(tmp_path / "pairs.csv")


@pytest.mark.slow
def test_the_check_block_says_what_is_missing_and_runs(tmp_path: Path) -> None:
    asks, runs = blocks("README.md")["check"].splitlines()
    for name in ("strong", "embedded"):
        (tmp_path / "ensembles").mkdir(exist_ok=True)
        shutil.copy(ROOT / "ensembles" / f"{name}.yaml", tmp_path / "ensembles")
    (tmp_path / "images").mkdir()
    for index in range(2):
        World(9).image(index).save(tmp_path / "images" / f"{index}.png")

    def shell(command: str) -> subprocess.CompletedProcess[str]:
        path = f'export PATH="{Path(sys.executable).parent}:$PATH" HF_HOME={tmp_path}; '
        return subprocess.run(
            ["bash", "-c", path + command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    asked = shell(asks)
    assert asked.returncode == 1, asked.stderr  # nothing has been downloaded
    assert "hf download laion/CLIP-ViT-H-14-laion2B-s32B-b79K" in asked.stdout
    # Five towers at full size would take minutes and 12 GiB: the small ones show the command.
    finished = shell(runs.replace("strong", "embedded"))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert (
        len(re.findall(r"^\S+ +[\d.]+ s +[\d.]+ s +[\d.]+ GiB$", finished.stdout, re.MULTILINE))
        == 5
    )


def test_the_plugin_of_the_guide_works_and_keeps_the_contract(tmp_path: Path) -> None:
    """Laid out as pip would install it, in a process of its own."""
    parts = blocks("plugins/README.md")
    project = tomllib.loads(parts["plugin pyproject"])["project"]
    (tmp_path / "unprompt_mean.py").write_text(parts["plugin"], encoding="utf-8")
    (tmp_path / "test_mean.py").write_text(parts["plugin test"], encoding="utf-8")
    metadata = tmp_path / f"unprompt_mean-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    points = "".join(f"{k} = {v}\n" for k, v in project["entry-points"]["unprompt"].items())
    (metadata / "entry_points.txt").write_text(f"[unprompt]\n{points}")

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    code = "import sys; sys.path.insert(0, '.'); from unprompt._registry.plugins import Registry\n"
    code += "import json; from unprompt import PredictorSpec\n"
    code += "print(json.dumps(Registry().spec('mean', PredictorSpec).summary))"
    assert json.loads(python("-c", code)) == "the mean train target"
    shown = python("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "test_mean.py")
    assert re.search(r"11 passed", shown), shown
    shutil.rmtree(metadata)
