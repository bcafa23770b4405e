"""A mistake is one clear line and exit code 2, before any work, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from PIL import Image

from unprompt._data.predictions import read_predictions, write_predictions
from unprompt.contracts import Batch
from unprompt.embeddings import Embeddings, unit

Command = Callable[..., CompletedProcess[str]]
InstallPlugin = Callable[..., Path]

FIVE_MISTAKES = """\
name: wrong
data:
  plugin: paintr
  split: {train: 0.8, holdout: 0.1, test: 0.1}
ensemble:
  members:
  - plugin: knn-vit-h
    weight: -1
    options: {neighbors: 5}
search:
  trials: many
colour: blue
"""


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture
def mistake(
    unprompt: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """Run a command that must fail as a user's mistake does; gives the lines on stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str | Path) -> list[str]:
        before = below(tmp_path)
        done = unprompt(*words)
        assert done.returncode == 2, done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert below(tmp_path) == before
        return done.stderr.splitlines()

    return run


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of two good images."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (40, 30), colour).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def truncated(images: Path) -> Path:
    """One more image in `images`, of which half is missing."""
    whole = images / "whole.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(whole)
    broken = images / "broken.png"
    broken.write_bytes(whole.read_bytes()[:3000])
    whole.unlink()
    return broken


@pytest.fixture
def ensemble(root: Path) -> Path:
    return root / "ensembles" / "embedded.yaml"


def rows_for(*ids: str, dim: int = 384) -> Batch:
    rows = unit(np.random.default_rng(3).normal(size=(len(ids), dim)))
    return Batch(Embeddings(ids, rows), (None,) * len(ids), ((),) * len(ids))


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    path = tmp_path / "submission.csv"
    write_predictions(path, "kaggle", rows_for("a", "b", "c"))
    return path


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.csv"
    path.write_text("image_id,prompt\na,a red wall\nb,two boats at night\nc,an old king\n")
    return path


# YAML


@pytest.mark.parametrize("command", [("config", "validate"), ("config", "show"), ("run",)])
def test_five_mistakes_give_five_lines(
    command: tuple[str, ...], mistake: Callable[..., list[str]], tmp_path: Path
) -> None:
    (tmp_path / "wrong.yaml").write_text(FIVE_MISTAKES)
    options = "ensemble.members.0.options"
    assert mistake(*command, "wrong.yaml") == [
        "wrong.yaml:3:3: data.plugin: unknown plugin 'paintr'; did you mean 'painter'?",
        "wrong.yaml:8:5: ensemble.members.0.weight: should be at least 0, got -1",
        f"wrong.yaml:9:15: {options}.neighbors: unknown key; did you mean 'neighbours'?",
        "wrong.yaml:11:3: search.trials: should be a whole number, got the text 'many'",
        "wrong.yaml:12:1: colour: unknown key",
    ]


@pytest.mark.parametrize("command", [("config", "validate"), ("run",)])
def test_missing_yaml(command: tuple[str, ...], mistake: Callable[..., list[str]]) -> None:
    assert mistake(*command, "none.yaml") == [
        "none.yaml: cannot be read: no such file or directory"
    ]


def test_validate_reports_all_files_and_still_says_which_are_good(
    unprompt: Command, ensemble: Path, tmp_path: Path
) -> None:
    (tmp_path / "wrong.yaml").write_text(FIVE_MISTAKES)
    done = unprompt("config", "validate", tmp_path / "wrong.yaml", ensemble, tmp_path / "none.yaml")
    assert done.returncode == 2
    assert done.stdout == f"{ensemble}: a valid ensemble\n"
    assert len(done.stderr.splitlines()) == 6


# Images


def test_missing_image(mistake: Callable[..., list[str]], ensemble: Path, images: Path) -> None:
    lines = mistake("predict", ensemble, images, "none.png", "-o", "out.csv")
    assert lines == ["none.png: no such file or folder"]


def test_empty_folder(mistake: Callable[..., list[str]], ensemble: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (line,) = mistake("predict", ensemble, "empty", "-o", "out.csv")
    assert line.startswith("empty: no image in this folder")


def test_only_unreadable_images(
    mistake: Callable[..., list[str]], ensemble: Path, truncated: Path
) -> None:
    lines = mistake("predict", ensemble, truncated, "--skip-unreadable", "-o", "out.csv")
    assert lines[0].startswith(f"skipped: {truncated}: cannot be read as an image")
    assert lines[1:] == ["no image that can be read is left"]


def test_a_truncated_image_is_an_error_before_any_model_loads(
    ensemble: Path, truncated: Path, tmp_path: Path
) -> None:
    program = (
        "import sys; from unprompt._cli.app import main\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules, 'unprompt._members.member' in sys.modules)"
    )
    output = tmp_path / "new" / "out.csv"
    done = subprocess.run(
        [sys.executable, "-c", program, "predict", ensemble, truncated.parent, "-o", output],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout.split() == ["False", "True"]
    first, second = done.stderr.splitlines()
    assert first.startswith(f"{truncated}: cannot be read as an image: ")
    assert second == "use --skip-unreadable to leave these out"
    assert not output.parent.exists()


def test_skip_unreadable_predicts_the_rest(
    unprompt: Command, small_folder: Path, truncated: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    done = unprompt(
        "predict", small_folder, truncated.parent, "--skip-unreadable", "--output", output
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"2 images: {output}\n"
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"skipped: {truncated}: cannot be read as an image: ")
    assert read_predictions(output).ids == ("a", "b")
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert all(row["prompt"] and row["evidence"] for row in rows)


def test_an_experiment_with_an_unreadable_image(
    mistake: Callable[..., list[str]], ensemble: Path, truncated: Path, tmp_path: Path
) -> None:
    names = ["a.png", "b.png", "broken.png"]
    lines = ["image,prompt", *(f"{name},an image called {name}" for name in names)]
    (truncated.parent / "table.csv").write_text("\n".join(lines))
    (tmp_path / "pairs.yaml").write_text(
        f"name: pairs\ndata: {{plugin: pairs, options: {{table: images/table.csv}}}}\n"
        f"ensemble: {{include: {ensemble}}}\n"
    )
    (line,) = mistake("run", "pairs.yaml")
    assert line.startswith(f"{truncated}: cannot be read as an image: ")


# Scores


def test_score_of_good_tables(unprompt: Command, submission: Path, prompts: Path) -> None:
    done = unprompt("score", submission, prompts)
    assert done.returncode == 0, done.stderr
    value = float(done.stdout.split()[0])
    assert -1 <= value <= 1
    assert done.stdout.endswith("; 3 images in 3 groups)\n")


def test_score_needs_the_same_ids(
    mistake: Callable[..., list[str]], submission: Path, prompts: Path
) -> None:
    prompts.write_text("image_id,prompt\na,a red wall\n")
    assert mistake("score", submission, prompts) == ["prediction without a prompt: 'b', 'c'"]
    prompts.write_text("image_id,prompt\na,a red wall\nb,two boats\nc,a king\nd,a cat\n")
    assert mistake("score", submission, prompts) == ["missing prediction for 'd'"]
    prompts.write_text("image_id,prompt\na,a red wall\n,two boats at night\n")
    assert mistake("score", submission, prompts) == [f"{prompts}: no image id in row '2'"]


def _nan(rows: list[str]) -> list[str]:
    return [*rows[:5], "a_4,nan", *rows[6:]]


def _missing(rows: list[str]) -> list[str]:
    return [row for row in rows if not row.startswith("b_17,")]


def _extra(rows: list[str]) -> list[str]:
    return [*rows, "a_384,0.5"]


def _repeated(rows: list[str]) -> list[str]:
    return [*rows, "b_17,0.5"]


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (_nan, "not finite: 'a_4'"),
        (_missing, "no value for 'b_17'"),
        (_extra, "beyond the 384 dimensions that most images have: 'a_384'"),
        (_repeated, "repeated: 'b_17'"),
    ],
)
def test_score_of_a_damaged_submission(
    damage: Callable[[list[str]], list[str]],
    what: str,
    mistake: Callable[..., list[str]],
    submission: Path,
    prompts: Path,
) -> None:
    submission.write_text("\n".join(damage(submission.read_text().splitlines())) + "\n")
    assert mistake("score", submission, prompts) == [f"{submission}: {what}"]


def test_score_of_another_space(
    mistake: Callable[..., list[str]], submission: Path, prompts: Path
) -> None:
    write_predictions(submission, "kaggle", rows_for("a", "b", "c", dim=12))
    (line,) = mistake("score", submission, prompts)
    assert line == f"{submission}: 12 numbers per image, minilm has 384"


# Outputs


def test_predict_below_a_regular_file(
    mistake: Callable[..., list[str]], images: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("here")
    output = tmp_path / "file" / "sub" / "out.csv"
    # Even the missing ensemble comes second: the output is checked before anything is read.
    (line,) = mistake("predict", "none.yaml", images, "-o", output)
    assert line.startswith(f"{output}: cannot be written: ")


def test_predict_onto_a_folder(
    mistake: Callable[..., list[str]], ensemble: Path, images: Path, tmp_path: Path
) -> None:
    (tmp_path / "out.csv").mkdir()
    (line,) = mistake("predict", ensemble, images, "-o", "out.csv")
    assert line == "out.csv: is a folder, not a file"


def test_a_failed_predict_makes_no_folders(mistake: Callable[..., list[str]], images: Path) -> None:
    (line,) = mistake("predict", "none.yaml", images, "-o", "new/folder/out.csv")
    assert line.startswith("none.yaml: cannot be read")


@pytest.mark.parametrize("words", [["-o", "out.csv", "--format", "xml"], ["-o", "out.xml"]])
def test_unknown_formats(
    words: list[str], mistake: Callable[..., list[str]], ensemble: Path, images: Path
) -> None:
    (line,) = mistake("predict", ensemble, images, *words)
    assert "xml" in line
    assert line.endswith("there are kaggle (.csv), jsonl (.jsonl), parquet (.parquet), npy (.npy)")


def test_run_below_a_regular_file(
    mistake: Callable[..., list[str]], small_experiment: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("here")
    output = tmp_path / "file" / "sub" / "run"
    (line,) = mistake("run", small_experiment, "--output", output)
    assert line.startswith(f"{output}: cannot be written: ")


def test_run_into_a_folder_that_holds_something(
    mistake: Callable[..., list[str]], small_experiment: Path, images: Path
) -> None:
    (line,) = mistake("run", small_experiment, "--output", images)
    assert line == f"{images}: exists already; choose another --output or remove it"


def test_predict_with_a_folder_that_is_no_run(
    mistake: Callable[..., list[str]], images: Path
) -> None:
    (line,) = mistake("predict", images, images, "-o", "out.csv")
    assert line == f"{images}: no ensemble.yaml in it, so it is no finished run"


# Members


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
    assert done.stderr.startswith("Traceback (most recent call last)")
    assert done.stderr.splitlines()[-1] == "KeyError: 'a bug of the plugin'"
    assert "buggy_plugin.py" in done.stderr
    assert not (tmp_path / "out.csv").exists()
