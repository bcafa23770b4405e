"""Members, devices and caches that cannot be used, and bugs, which keep their traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]


def test_an_ensemble_that_has_learned_nothing_says_what_to_do(
    mistake: Callable[..., list[str]], ensemble: Path, images: Path
) -> None:
    (line,) = mistake("predict", ensemble, images, "-o", "out.csv")
    assert line.startswith("member 'knn-vit-g': the prompt bank is empty: use the ensemble through")
    only = "members=[{plugin: clip-l14, options: {backbone: {folder: FOLDER}}}]".replace(
        "FOLDER", "'package:unprompt_painter/checkpoints/vision-a'"
    )
    (line,) = mistake("predict", ensemble, images, "-o", "out.csv", "--set", only)
    assert line == (
        "member 'clip-l14': the head has nothing to learn from: "
        "use the ensemble through an experiment's run, or a checkpoint with a head"
    )


def test_an_artifact_that_is_gone(
    mistake: Callable[..., list[str]], small_folder: Path, images: Path
) -> None:
    gone = "members.clip-l14.artifact=./gone"
    used = "members.clip-l14.weight=1"  # a member of weight 0 is not run
    words = ("predict", small_folder, images, "-o", "out.csv", "--set", used, "--set", gone)
    (line,) = mistake(*words)
    assert line.startswith("member 'clip-l14': no artifact folder ")
    assert line.endswith("/gone")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("member", "tower", "name"),
    [
        ("knn-vit-h", "clip-a", "open_clip_config.json"),
        ("knn-vit-h", "clip-a", "open_clip_model.safetensors"),
        ("knn-vit-h", "clip-a", "tokenizer.json"),
        ("clip-l14", "vision-a", "config.json"),
        ("clip-l14", "vision-a", "model.safetensors"),
        ("clip-l14", "vision-a", "preprocessor_config.json"),
    ],
)
@pytest.mark.parametrize("damage", [Path.unlink, _empty, _half])
def test_a_broken_weights_folder_is_named_with_its_file(
    damage: Callable[[Path], None],
    member: str,
    tower: str,
    name: str,
    mistake: Callable[..., list[str]],
    small_folder: Path,
    images: Path,
    root: Path,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(root / "plugins" / "unprompt_painter" / "checkpoints" / tower, folder)
    damage(folder / name)
    backbone = f"members.{member}.options.backbone.folder=./weights"
    used = f"members.{member}.weight=1"  # a member of weight 0 is not run
    words = ("predict", small_folder, images, "-o", "out.csv", "--set", used)
    line, *rest = mistake(*words, "--set", backbone)
    assert line.startswith(f"member {member!r}: ")
    assert str(folder) in line
    assert name in line or (damage, name) == (Path.unlink, "tokenizer.json")
    assert rest == []


def test_too_few_images_for_three_splits(
    mistake: Callable[..., list[str]], small_experiment: Path, tmp_path: Path
) -> None:
    shutil.copy(small_experiment, tmp_path)
    (line,) = mistake("run", small_experiment.name, "--set", "data.options.images=2")
    assert line.startswith("no images left for 'test': 2 images form 2 groups")


def test_a_device_that_is_not_there(
    mistake: Callable[..., list[str]], small_experiment: Path, tmp_path: Path
) -> None:
    shutil.copy(small_experiment, tmp_path)
    for device in ("gpu", "cuda:99"):
        (line,) = mistake("run", small_experiment.name, "--set", f"runtime.device={device}")
        assert line.startswith(f"runtime.device: '{device}' cannot be used: ")


def test_penalties_that_punish_nothing(
    mistake: Callable[..., list[str]], small_experiment: Path
) -> None:
    options = "ensemble.members.clip-l14.options"
    (line,) = mistake("run", small_experiment, "--set", f"{options}.penalties=[1, 0]")
    assert line.endswith("options.penalties.1: should be more than 0, got 0")


def test_a_cache_that_cannot_be_written(
    mistake: Callable[..., list[str]],
    submission: Path,
    prompts: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("here")
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / "file" / "cache"))
    (line,) = mistake("score", submission, prompts)
    assert line.startswith(f"{tmp_path}/file/cache/texts/")
    assert ": cannot be written: " in line


# Bugs


BUGGY = """
from unprompt import Model, Predictor, PredictorSpec, hookimpl

class Options(Model):
    pass

class Buggy(Predictor):
    def prepare(self, train, artifact):
        pass
    def load(self, artifact):
        pass
    def predict(self, images):
        raise KeyError("a bug of the plugin")

@hookimpl
def unprompt_predictor():
    return PredictorSpec("buggy", "raises", Options, "buggy_plugin:Buggy")
"""


@pytest.fixture
def with_buggy(install_plugin: InstallPlugin) -> Iterator[dict[str, str]]:
    yield {**os.environ, "PYTHONPATH": str(install_plugin("buggy", BUGGY))}


def test_a_bug_keeps_its_traceback(
    with_buggy: dict[str, str], images: Path, tmp_path: Path
) -> None:
    (tmp_path / "buggy.yaml").write_text("members: [{plugin: buggy}]\n")
    words = ["predict", str(tmp_path / "buggy.yaml"), str(images), "-o", "out.csv"]
    done = subprocess.run(
        [sys.executable, "-c", "from unprompt._cli.app import main; main()", *words],
        env=with_buggy,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    first, second, *_, last = done.stderr.splitlines()
    assert first == (
        "member 'buggy': plugin 'buggy' (from unprompt-buggy 1.0): "
        "Buggy.predict raised KeyError: 'a bug of the plugin'"
    )
    assert second == "Traceback (most recent call last):"
    assert last == "KeyError: 'a bug of the plugin'"
    assert "buggy_plugin.py" in done.stderr
    assert not (tmp_path / "out.csv").exists()
