"""An artifact says what it was made with; something else is one line when it is loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import unprompt as package
from unprompt import ConfigError, PredictorSpec, Runtime, UnpromptError
from unprompt._files.hashing import file_hash
from unprompt._registry.plugins import Registry
from unprompt.types import FloatArray

Command = Callable[..., CompletedProcess[str]]

TOWERS = '''
import hashlib
import json
from pathlib import Path

import numpy as np
from pydantic import Field

from noisy_plugin import MemberOptions, NoisyMember
from unprompt import (
    Location, Model, Predictor, PredictorSpec, TextEncoderSpec, hookimpl
)
from unprompt.testing import HashedWords


class Options(Model):
    """A tower, what is learned with it, and what is shown."""

    tower: Location = Field(description="Its file.")
    noise: float = Field(default=0.2, description="As of noisy.")
    seed: int = Field(default=0, description="As of noisy.")
    shown: int = Field(default=3, description="Nothing that is learned depends on it.")


class Member(NoisyMember):
    def identity(self):
        return {"tower": hashlib.sha256(self.options.tower.path.read_bytes()).hexdigest()}

    def check_prepared(self, prepared):
        same = prepared.model_copy(update={"shown": self.options.shown})
        Predictor.check_prepared(self, same)


class EncoderOptions(Model):
    """Which space."""

    turn: int = Field(default=0, description="Of the axes.")


class Turned(HashedWords):
    def __init__(self, options, runtime):
        self.turn = options.turn

    @property
    def identity(self):
        return f"turned {self.turn} of hashed words"

    def encode(self, texts):
        return np.roll(super().encode(texts), self.turn, axis=1)


@hookimpl
def unprompt_predictor():
    return PredictorSpec("towers", "has a tower", Options, f"{__name__}:Member")


@hookimpl
def unprompt_text_encoder():
    return TextEncoderSpec("towers", "turned", EncoderOptions, f"{__name__}:Turned")
'''


@pytest.fixture
def run(install_plugin: Callable[..., Path], tmp_path: Path, unprompt: Command) -> Iterator[Path]:
    """A finished run of a member whose artifact is learned with ``tower-a``."""
    install_plugin("noisy", (Path(__file__).parents[1] / "noisy_plugin.py").read_text())
    install_plugin("towers", TOWERS)
    for name in ("tower-a", "tower-b"):
        (tmp_path / name).write_text(name)
    content = {
        "name": "towers",
        "data": {
            "plugin": "noisy",
            "options": {"test": 20, "wordings": False, "prompts": {}, "suffix": ""},
        },
        "ensemble": {
            "text_encoder": {"plugin": "towers"},
            "members": [{"plugin": "towers", "options": {"tower": "tower-a"}}],
        },
        "search": {"trials": 2, "sampler": "random"},
    }
    (tmp_path / "towers.yaml").write_text(yaml.safe_dump(content))
    done = unprompt("run", tmp_path / "towers.yaml", "--output", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    yield tmp_path / "run"


def image() -> Image.Image:
    return Image.fromarray(np.arange(768, dtype=np.uint8).reshape(16, 16, 3))


def rows(run: Path, *overrides: str) -> FloatArray:
    loaded = package.load_ensemble(run, overrides=[f"members.towers.{what}" for what in overrides])
    return loaded.predict({"x": image()}, prompts=False).embeddings.rows


def problem(run: Path, *overrides: str) -> str:
    with pytest.raises(UnpromptError) as caught:
        package.load_ensemble(run, overrides=overrides).predict({"x": image()})
    (line,) = caught.value.problems
    return line.replace(str(run / "artifacts" / "towers"), "ARTIFACT")


def change(run: Path, **what: Any) -> None:
    """Change what the artifact says of itself; the run's checksums would say so first."""
    path = run / "artifacts" / "towers" / "artifact.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | what))
    (run / "checksums.json").unlink(missing_ok=True)


def test_what_an_artifact_says(run: Path) -> None:
    folder = run / "artifacts" / "towers"
    content = json.loads((folder / "artifact.json").read_text())
    assert (content["plugin"], content["distribution"]) == ("towers", "unprompt-towers")
    assert (content["version"], content["unprompt"]) == ("1.0", package.__version__)
    assert content["options"]["noise"] == 0.2
    assert content["identity"] == {"tower": file_hash(run.parent / "tower-a")}
    assert content["text_encoder"] == "turned 0 of hashed words"
    assert {name: entry["sha256"] for name, entry in content["files"].items()} == {
        name: file_hash(folder / name) for name in ("rows.npy", "prompts.json")
    }
    assert not [path for path in folder.iterdir() if path.is_symlink() or path.stat().st_nlink > 1]


def test_the_same_content_elsewhere_is_the_same_tower(run: Path) -> None:
    before = rows(run)
    shutil.copy(run.parent / "tower-a", run.parent / "a-copy")
    np.testing.assert_array_equal(rows(run, f"options.tower={run.parent / 'a-copy'}"), before)


def test_another_tower_is_refused(run: Path, unprompt: Command, tmp_path: Path) -> None:
    again = "run the experiment with what is used now, or take `artifact` out of the ensemble"
    image().save(tmp_path / "x.png")
    override = f"members.towers.options.tower={run.parent / 'tower-b'}"
    words = ("predict", run, tmp_path / "x.png", "-o", tmp_path / "o.jsonl", "--set", override)
    done = unprompt(*words)
    assert done.returncode == 2
    assert done.stderr == (
        f"member 'towers': {run}/artifacts/towers: was made with other towers or files: the "
        f"content of 'tower' differs (`tower` was {run.parent / 'tower-a'} and is "
        f"{run.parent / 'tower-b'}); {again}\n"
    )
    assert not (tmp_path / "o.jsonl").exists()


def test_another_text_encoder_of_the_same_width_is_refused(run: Path) -> None:
    line = problem(run, "text_encoder.options.turn=3")
    assert line.startswith(
        "member 'towers': ARTIFACT: was made for the text encoder 'turned 0 of hashed words', and "
        "this ensemble has 'turned 3 of hashed words'; "
    )


def test_options_are_those_that_the_family_takes(run: Path) -> None:
    np.testing.assert_array_equal(rows(run, "options.shown=9"), rows(run))
    line = problem(run, "members.towers.options.noise=0.4", "members.towers.options.shown=9")
    assert line.startswith(
        "member 'towers': ARTIFACT: was prepared with other options (`noise` was 0.2 and is 0.4, "
        "`shown` was 3 and is 9): "
    )
    assert "Member.check_prepared: other options need an artifact of their own; run the" in line


def test_another_plugin_is_refused(run: Path) -> None:
    change(run, distribution="somebody-elses")
    assert problem(run).startswith(
        "member 'towers': ARTIFACT: was made by plugin 'towers' of somebody-elses, not by 'towers' "
        "of unprompt-towers; "
    )


def test_another_version_of_the_plugin_is_a_warning(
    run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    change(run, version="0.9")
    rows(run)
    (line,) = caplog.messages
    assert line.endswith("artifacts/towers: was made by unprompt-towers 0.9; this is 1.0")


def test_an_artifact_of_an_older_version_is_used_with_a_warning(
    run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = rows(run)
    (run / "artifacts" / "towers" / "artifact.json").unlink()
    (run / "checksums.json").unlink()
    np.testing.assert_array_equal(rows(run), before)
    (line,) = caplog.messages
    assert "artifacts/towers: does not say what it was made with" in line


def test_a_changed_file_is_named_also_outside_a_run(run: Path) -> None:
    elsewhere = run.parent / "elsewhere"
    shutil.copytree(run / "artifacts" / "towers", elsewhere)
    (elsewhere / "prompts.json").write_text("[]")
    line = problem(run, f"members.towers.artifact={elsewhere}")
    prompts = run / "artifacts" / "towers" / "prompts.json"
    assert line.endswith(
        f"elsewhere: not as it was written: prompts.json: 2 bytes, not {prompts.stat().st_size}"
    )


def test_an_experiment_takes_an_artifact_by_the_same_rules(run: Path, unprompt: Command) -> None:
    path = run.parent / "towers.yaml"
    given = ("--set", f"ensemble.members.towers.artifact={run / 'artifacts' / 'towers'}")
    done = unprompt("run", path, *given, "--output", run.parent / "second")
    assert done.returncode == 0, done.stderr
    noise = ("--set", "ensemble.members.towers.options.noise=0.5")
    done = unprompt("run", path, *given, *noise, "--output", run.parent / "third")
    assert done.returncode == 2
    assert "was prepared with other options (`noise` was 0.2 and is 0.5)" in done.stderr
    assert not (run.parent / "third").exists()


def test_a_family_may_not_write_artifact_json_itself(
    run: Path, install_plugin: Callable[..., Path], unprompt: Command
) -> None:
    source = TOWERS.replace('"towers"', '"wrong"').replace(
        "    def identity(self):",
        "    def prepare(self, train, artifact):\n"
        '        (artifact / "artifact.json").write_text("{}")\n\n'
        "    def identity(self):",
    )
    install_plugin("wrong", source)
    path = run.parent / "towers.yaml"
    done = unprompt("run", path, "--set", "ensemble.members.towers.plugin=wrong")
    assert done.returncode == 2
    assert "prepare wrote artifact.json, which is the name of a file of unprompt's own" in (
        done.stderr
    )


SOFTMAX = {"name": "softmax"}


@pytest.mark.parametrize(
    ("plugin", "prepared", "used", "refused"),
    [
        ("knn-vit-h", {"evidence": 3, "kernel": SOFTMAX}, {"kernel": {"name": "ridge"}}, None),
        ("knn-vit-h", {"neighbours": 7}, {"neighbours": 9, "views": ["identity", "hflip"]}, None),
        ("knn-vit-h", {"kernel": SOFTMAX}, {"kernel": SOFTMAX | {"fit": 9}}, "`kernel.fit` has to"),
        (
            "knn-vit-h",
            {"kernel": SOFTMAX | {"fit": 9}},
            {"kernel": SOFTMAX | {"fit": 9}, "views": ["identity", "hflip"]},
            "only `neighbours` and `kernel`",
        ),
        ("clip-l14", {"evidence": 3}, {"evidence": 7}, None),
        ("clip-l14", {}, {"penalties": [1.0]}, "other options need an artifact of their own"),
        ("clip-blip", {"mode": "fast"}, {"mode": "classic", "evidence": 2}, None),
    ],
)
def test_which_options_our_families_take_with_one_artifact(
    plugin: str, prepared: dict[str, Any], used: dict[str, Any], refused: str | None
) -> None:
    registry = Registry()
    spec = registry.spec(plugin, PredictorSpec)
    before, now = (spec.options.model_validate(given) for given in (prepared, used))
    predictor = registry.build(spec, now, Runtime())
    if refused is None:
        predictor.check_prepared(before)
    else:
        with pytest.raises(ConfigError, match=refused):
            predictor.check_prepared(before)
