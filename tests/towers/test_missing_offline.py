"""With the network off and weights missing, every family says what, where and how to fetch it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from PIL import Image

Command = Callable[..., CompletedProcess[str]]

OPEN_CLIP = ("open_clip_model.safetensors",)
TOWER = ("config.json", "preprocessor_config.json", "model.safetensors")
CAPTIONER = ("config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors")
BLIP = "Salesforce/blip-image-captioning-large"
VIT_G = "laion/CLIP-ViT-g-14-laion2B-s34B-b88K"
VIT_H = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
VIT_L = "openai/clip-vit-large-patch14"
VIT_384 = "timm/vit_large_patch16_384.augreg_in21k_ft_in1k"

WANTED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "knn-vit-g": ("kNN backbone", VIT_G, OPEN_CLIP),
    "knn-vit-h": ("kNN backbone", VIT_H, OPEN_CLIP),
    "clip-l14": ("image tower", VIT_L, TOWER),
    "clip-l16-384": ("image tower", VIT_384, ("model.safetensors",)),
    "clip-blip": ("interrogator backbone", VIT_H, OPEN_CLIP),
    "captioner": ("captioner", BLIP, CAPTIONER),
}
"""Who complains, about which repository, and which of its files."""

FAMILIES = [name for name in WANTED if name != "captioner"]
SMALL_CLIP = {"backbone": {"folder": "package:unprompt_painter/checkpoints/clip-a"}}

PROGRAM = """\
import json, sys, tempfile, time
from pathlib import Path
from unprompt.contracts import Runtime
from unprompt.errors import MissingFileError
from unprompt._registry.plugins import Registry
from unprompt.contracts.specs import PredictorSpec
from unprompt.testing import example_train_set

registry, offline = Registry(), sys.argv[1] == "offline"
time.sleep = lambda seconds: None  # the hub's library waits between its tries
for case, plugin, options in json.loads(sys.argv[2]):
    train = example_train_set(count=3)
    spec = registry.spec(plugin, PredictorSpec)
    runtime = Runtime(offline=offline, text_encoder=train.text_encoder)
    predictor = registry.build(spec, spec.options.model_validate(options), runtime)
    lines = {}
    for step in ("identity", "prepare")[: 1 + offline]:
        try:
            if step == "identity":
                predictor.identity()
            else:
                predictor.prepare(train, Path(tempfile.mkdtemp()))
        except MissingFileError as error:
            lines[step] = error.problems
    lines["needs"] = [(n.what, n.where, n.here, n.fetch) for n in predictor.needs()]
    print(json.dumps([case, lines]))
"""


def cases() -> list[tuple[str, str, dict[str, Any]]]:
    """Every family as it is by default, and the interrogator with only its captioner missing."""
    plain: list[tuple[str, str, dict[str, Any]]] = [(name, name, {}) for name in FAMILIES]
    return [*plain, ("captioner", "clip-blip", SMALL_CLIP)]


def cache_at(home: Path) -> dict[str, str]:
    """The environment of a machine whose Hugging Face folder is ``home``, and no other setting."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return {**kept, "HF_HOME": str(home), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


def expected(case: str, cache: Path) -> list[str]:
    """The error lines, where the hub's cache is the folder ``cache``."""
    owner, repository, files = WANTED[case]
    folder = cache / f"models--{repository.replace('/', '--')}"
    return [
        f"{owner}: no {name} of {repository}: looked in {folder}; "
        f"fetch it with: hf download {repository} {name}"
        for name in files
    ]


def ask(how: str, home: Path, asked: list[Any], **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how, json.dumps(asked)],
        env={**cache_at(home), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())


Answer = tuple[Path, dict[str, Any]]


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """What every family says offline, with an empty cache; a process of its own, as HF_HOME is."""
    home = tmp_path_factory.mktemp("hf-home")
    return home, ask("offline", home, cases())


@pytest.mark.parametrize("case", [*WANTED])
def test_the_line_names_file_place_and_command(case: str, offline: Answer) -> None:
    home, answers = offline
    assert answers[case]["identity"] == expected(case, home / "hub")


@pytest.mark.parametrize("case", FAMILIES)
def test_preparing_says_the_same(case: str, offline: Answer) -> None:
    home, answers = offline
    assert answers[case]["prepare"] == expected(case, home / "hub")


@pytest.mark.parametrize("case", [*WANTED])
def test_needs_name_the_same_files(case: str, offline: Answer) -> None:
    home, answers = offline
    missing = [need for need in answers[case]["needs"] if not need[2]]
    lines = [
        f"{WANTED[case][0]}: no {what}: looked in {where}; fetch it with: {fetch}"
        for what, where, _, fetch in missing
    ]
    if case == "clip-blip":  # its captioner is missing as well
        assert lines[: len(OPEN_CLIP)] == expected(case, home / "hub")
        captioner = [line.partition(": ")[2] for line in expected("captioner", home / "hub")]
        assert [line.partition(": ")[2] for line in lines[len(OPEN_CLIP) :]] == captioner
    else:
        assert lines == expected(case, home / "hub")


def test_nothing_was_written_into_the_cache(offline: Answer) -> None:
    home, _ = offline
    assert [path for path in home.rglob("*") if path.is_file()] == []


# Not told to stay offline, but nothing answers


@pytest.mark.parametrize(
    "case",
    # open_clip's files are tried again and again by the hub's library.
    ["clip-l14", pytest.param("knn-vit-h", marks=pytest.mark.slow)],
)
def test_a_network_that_is_down_adds_only_its_reason(case: str, tmp_path: Path) -> None:
    asked = [listed for listed in cases() if listed[0] == case]
    answers = ask("online", tmp_path, asked, HF_ENDPOINT="http://127.0.0.1:9")  # refuses everybody
    wanted = expected(case, tmp_path / "hub")
    for line, start in zip(answers[case]["identity"], wanted, strict=True):
        assert line.startswith(f"{start} (")
        assert "\n" not in line


# The command


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.png"
    Image.new("RGB", (40, 30), "red").save(path)
    return path


def ensemble(case: str, folder: Path) -> Path:
    path = folder / f"{case}.yaml"
    ((_, plugin, options),) = (listed for listed in cases() if listed[0] == case)
    member = {"plugin": plugin, "options": options}
    path.write_text(json.dumps({"name": "full-size", "members": [member]}))  # JSON is YAML
    return path


@pytest.mark.parametrize("case", [*WANTED])
def test_predict_offline(
    case: str, hub: Any, unprompt: Command, image: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    done = unprompt("predict", ensemble(case, tmp_path), image, "-o", output, "--offline", "-q")
    assert done.returncode == 2
    assert done.stdout == ""
    plugin = "clip-blip" if case == "captioner" else case
    lines = [f"member {plugin!r}: {line}" for line in expected(case, hub.folder)]
    assert done.stderr.splitlines() == lines
    assert not output.exists()


def test_predict_offline_as_a_user_starts_it(image: Path, tmp_path: Path) -> None:
    home, output = tmp_path / "home", tmp_path / "out.csv"
    words = ["predict", str(ensemble("clip-l14", tmp_path)), str(image), "-o", str(output)]
    done = subprocess.run(
        [sys.executable, "-c", "from unprompt._cli.app import main; main()", *words, "--offline"],
        env=cache_at(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for wanted in expected("clip-l14", home / "hub"):
        assert wanted in done.stderr
    assert not output.exists()
