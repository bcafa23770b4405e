"""The guides say what the code does: generated parts are fresh, and every block is run."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from unprompt._registry.loading import load_experiment
from unprompt._registry.plugins import Registry
from unprompt.contracts import hookspecs
from unprompt.contracts.specs import DatasetSpec
from unprompt.testing import (
    DatasetContract,
    ObserverContract,
    PredictorContract,
    TextEncoderContract,
)
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
    ("README.md", "installed"),  # tests/test_release.py
    ("README.md", "quickstart output"),  # tests/test_quickstart.py
    ("README.md", "own images"),  # likewise
    ("README.md", "study"),  # likewise
    ("README.md", "python"),  # likewise
    ("plugins/README.md", "new plugin"),  # tests/third_party/test_new_plugins.py, each kind
}
SINGLE_FILES = ("mean", "prompts", "words", "log")
FAMILIES = ("blip", "clip", "knn", "painter")
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


@pytest.mark.parametrize("guide", generator().PARTS)
def test_generated_parts_are_up_to_date(guide: str) -> None:
    filled: Callable[[str], str] = generator().filled
    assert (ROOT / guide).read_text(encoding="utf-8") == filled(guide), (
        "run: python tests/docs/generate.py"
    )


@pytest.mark.parametrize("path", generator().SCHEMAS)
def test_schemas_beside_our_yaml_files_are_up_to_date(path: str) -> None:
    made: str = generator().schema_file(path)
    fresh = (ROOT / path).read_text(encoding="utf-8") == made  # no diff of 5,000 lines
    assert fresh, "run: python tests/docs/generate.py"


def test_every_hook_is_in_the_guide() -> None:
    guide = (ROOT / "plugins/README.md").read_text(encoding="utf-8")
    hooks = [name for name in vars(hookspecs) if name.startswith("unprompt_")]
    assert hooks
    assert [name for name in hooks if f"### `{name}(" not in guide] == []


def test_every_block_has_a_test() -> None:
    here = {
        ("README.md", "check"),
        ("README.md", "experiment"),
        ("README.md", "prompt"),
        *(("plugins/README.md", f"plugin {name}") for name in SINGLE_FILES),
        ("plugins/README.md", "plugin tests"),
        ("plugins/README.md", "four experiment"),
        ("plugins/README.md", "four run"),
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


def test_the_prompt_block_reads_and_predicts(
    small_run: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    texts = PngInfo()
    texts.add_text("parameters", "a red fox\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 1")
    World(9).image(0).save(images / "fox.png", pnginfo=texts)
    World(9).image(1).save(images / "sea.png")
    read, predicted, written = blocks("README.md")["prompt"].splitlines()
    run = f'run="{small_run.stdout.strip().splitlines()[-1]}"; '

    assert run_in(tmp_path, "bash", "-c", read).splitlines() == [
        "images/fox.png: read (A1111, png:parameters)",
        "    a red fox",
        "images/sea.png: no prompt in the file",
    ]
    items = json.loads(run_in(tmp_path, "bash", "-c", run + predicted))
    assert [(item["path"], item["origin"]) for item in items] == [
        ("images/fox.png", "read"),
        ("images/sea.png", "predicted"),
    ]
    run_in(tmp_path, "bash", "-c", written)
    assert (images / "fox.txt").read_text(encoding="utf-8") == "a red fox"


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


@pytest.fixture
def single_files(tmp_path: Path) -> Path:
    """A folder of somebody who saved the plugins of the guide."""
    parts = blocks("plugins/README.md")
    (tmp_path / "plugins").mkdir()
    for name in SINGLE_FILES:
        (tmp_path / "plugins" / f"{name}.py").write_text(parts[f"plugin {name}"], encoding="utf-8")
    return tmp_path


def run_in(folder: Path, *command: str) -> str:
    """A command's stdout."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_plugins_of_the_guide_keep_their_contracts(single_files: Path) -> None:
    tests = single_files / "plugins" / "test_plugins.py"
    tests.write_text(blocks("plugins/README.md")["plugin tests"], encoding="utf-8")
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", tests.name)
    shown = run_in(tests.parent, sys.executable, *arguments)
    contracts = (DatasetContract, ObserverContract, PredictorContract, TextEncoderContract)
    checks = [name for kind in contracts for name in dir(kind) if name.startswith("test_")]
    assert f"\n{len(checks)} passed in" in shown


def test_the_plugins_of_the_guide_run_together(single_files: Path) -> None:
    parts = blocks("plugins/README.md")
    (single_files / "four.yaml").write_text(parts["four experiment"], encoding="utf-8")
    shades = ("crimson", "olive", "navy", "teal", "gold", "plum")
    nouns = ("wall", "kite", "lake", "moth", "tram", "vase", "coat", "door")
    for number, (shade, noun) in enumerate((s, n) for s in shades for n in nouns):
        folder = single_files / "images" / f"{shade} {noun} seen from place {number}"
        folder.mkdir(parents=True)
        Image.new("RGB", (8, 8), (number, 2 * number, 90)).save(folder / "1.png")
    check, run = parts["four run"].splitlines()
    listed = run_in(single_files, "bash", "-c", check)
    for name in SINGLE_FILES:
        assert re.search(rf"^{name} ", listed, re.MULTILINE), listed
    folder = Path(run_in(single_files, "bash", "-c", run).splitlines()[-1])
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    (line,) = (single_files / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {"run": "four", "score": scores["test"]["ensemble"]["score"]}
    # The mean of the train targets is what the floor is.
    assert scores["test"]["members"]["mean"]["score"] == pytest.approx(scores["test"]["floor"])


def test_every_family_has_a_page_that_the_guide_links() -> None:
    guide = (ROOT / "plugins/README.md").read_text(encoding="utf-8")
    for name in FAMILIES:
        text = (ROOT / "plugins" / f"{name}.md").read_text(encoding="utf-8")
        assert f"]({name}.md)" in guide
        assert "<!-- begin options -->\n\n### `" in text
        assert "MIT" in text  # the licence of the weights


def test_every_dataset_of_the_core_is_on_the_page_of_datasets() -> None:
    claims = [claim for claim in Registry().claims if claim.module.startswith("unprompt._builtin.")]
    ours = [claim.name for claim in claims if Registry().offered(claim.name, DatasetSpec)]
    text = (ROOT / "plugins/data.md").read_text(encoding="utf-8")
    assert ours
    assert [
        name for name in ours if f"\n| `{name}` |" not in text or f"### `{name}`" not in text
    ] == []
