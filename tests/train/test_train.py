"""Recipes end to end at toy size: they learn, and what they write loads in its own library."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from unprompt._cli.app import main
from unprompt._config.location import Location
from unprompt._files.hashing import file_hash
from unprompt._members.training import read_training
from unprompt._recipes.execute import Trained
from unprompt.contracts import Runtime
from unprompt.errors import ConfigError
from unprompt.towers import ClipTowers, FolderSource, VisionTower
from unprompt_painter.world import World

if TYPE_CHECKING:
    import torch

Train = Callable[..., Trained]
Make = Callable[..., Path]
RECIPES = Path(__file__).parents[2] / "experiments" / "train"
TOY = (
    "data.options.images=80",
    "validation=8",
    "test=8",
    "training.epochs=1",
    "training.batch_size=32",
)
LONGER = (
    "training.epochs=12",
    "training.learning_rate=3e-3",
    "training.ema=0",
    "training.warmup=0",
    "training.augment=[]",
)


def logged_losses(runs: Path) -> list[float]:
    (path,) = runs.rglob("metrics.jsonl")
    lines = map(json.loads, path.read_text().splitlines())
    return [line["loss"] for line in lines if "loss" in line]


def pixels(count: int = 4) -> torch.Tensor:
    """Painted images of 32 pixels, as a tower might want them."""
    import torch

    stack = np.stack([np.asarray(World(1, 32).image(i)) for i in range(count)])
    return torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 127.5 - 1


@pytest.mark.parametrize(
    ("recipe", "tower"),
    [("clip-a", "clip-a"), ("vision-a", "vision-a"), ("vision-b", "vision-b"), ("blip-a",) * 2],
)
def test_each_objective_learns(
    recipe: str,
    tower: str,
    train: Train,
    toy_tower: Make,
    toy_teacher: Make,
    tmp_path: Path,
) -> None:
    own = {
        "vision-a": (f"teacher={toy_teacher(384)}", "distill=0.5"),
        "clip-a": ("alike=0",),  # soft labels have an entropy that no training takes away
    }
    train(f"{recipe}.yaml", toy_tower(tower), *LONGER, *own.get(recipe, ()))
    losses = logged_losses(tmp_path / "runs")
    assert len(losses) == 4  # steps 1, 10, 20 and the last, 24
    assert losses[-1] < 0.9 * losses[0]


def test_a_contrastive_recipe_writes_a_clip_and_can_go_on(train: Train, toy_tower: Make) -> None:
    import open_clip
    import torch

    folder = toy_tower("clip-a")
    trained = train("clip-a.yaml", folder)
    card = (folder / "README.md").read_text()
    weights = folder / "open_clip_model.safetensors"
    first = file_hash(weights)
    assert first in card
    assert re.search(r"recall@1 [01]\.\d+", card)
    read = open_clip.create_model(f"local-dir:{folder}").eval()
    with torch.no_grad():
        clip: Any = trained.task.model.get_submodule("clip")
        images = read.encode_image(pixels()), clip.encode_image(pixels())
    assert torch.allclose(*images, atol=1e-2)

    towers = ClipTowers(FolderSource(folder=Location.of(str(folder))), Runtime(), "test")
    image = towers.images(towers.preprocess(World(1, 32).image(0))[None])
    text = towers.texts(
        ["a red fox", "a text with letters that no prompt has: \u017c\u00f3\u0142w"]
    )
    assert image.shape == (1, 384) and text.shape == (2, 384)
    assert np.allclose(np.linalg.norm(text, axis=1), 1, atol=1e-5)

    others = ("data.options.seed=5", "training.seed=6", "training.keep=last")
    train("clip-a.yaml", folder, f"start={folder}", *others)
    parts = read_training(folder)
    assert [(part.options["seed"], part.seed, part.images) for part in parts] == [
        (1021, 21, 64),
        (5, 6, 64),
    ]
    card = (folder / "README.md").read_text()
    assert re.search(
        r"64 samples of .*seed: 1021, .*, seed 21; 64 samples of .*seed: 5, .* 6", card
    )
    assert f"checkpoint with SHA-256 `{first}`" in (folder / "README.md").read_text()
    assert file_hash(weights) != first


def test_a_regression_recipe_writes_a_vision_tower_and_can_go_on(
    train: Train, toy_tower: Make, toy_teacher: Make
) -> None:
    import torch
    from transformers import CLIPVisionModel

    folder = toy_tower("vision-a")
    trained = train("vision-a.yaml", folder)
    assert re.search(r"cosine -?[01]\.\d+", (folder / "README.md").read_text())
    read: Any = CLIPVisionModel.from_pretrained(folder, dtype=torch.float32).eval()  # type: ignore[no-untyped-call]  # transformers
    with torch.no_grad():
        own = trained.task.model.get_submodule("vision")(pixel_values=pixels()).pooler_output
        assert torch.allclose(read(pixel_values=pixels()).pooler_output, own, atol=1e-2)
    tower = VisionTower(FolderSource(folder=Location.of(str(folder))), Runtime(), "test")
    features = tower.features(tower.preprocess(World(1, 50).image(0))[None])
    assert features.shape == (1, 32)
    assert np.isfinite(features).all()

    first = file_hash(folder / "model.safetensors")
    train("vision-a.yaml", folder, f"start={folder}", f"teacher={toy_teacher(64)}")
    assert first in (folder / "README.md").read_text()


def test_a_regression_recipe_writes_a_timm_model_and_can_go_on(
    train: Train, toy_tower: Make
) -> None:
    import timm
    import torch

    folder = toy_tower("vision-b")
    trained = train("vision-b.yaml", folder)
    read = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    with torch.no_grad():
        own = trained.task.model.get_submodule("vision")(pixels())
        assert own.shape == (4, 16)
        assert torch.allclose(read(pixels()), own, atol=1e-2)

    first = file_hash(folder / "model.safetensors")
    train("vision-b.yaml", folder, f"start={folder}")
    assert first in (folder / "README.md").read_text()


def test_a_captioning_recipe_writes_a_blip_and_can_go_on(
    train: Train, toy_tower: Make, toy_teacher: Make
) -> None:
    import torch
    from transformers import AutoTokenizer, BlipForConditionalGeneration, BlipImageProcessor

    folder, teacher = toy_tower("blip-a"), toy_teacher(384)
    trained = train("blip-a.yaml", folder, f"teacher={teacher}", *LONGER)
    card = (folder / "README.md").read_text()
    assert re.search(r"exact tokens [01]\.\d+ \[.*caption cross-entropy \d\.\d+", card)
    read: Any = BlipForConditionalGeneration.from_pretrained(folder).eval()  # type: ignore[no-untyped-call]  # transformers
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert read.dtype == torch.float32
    texts = tokenizer(["a red fox", "sepia, a fox"], padding=True, return_tensors="pt")
    assert tokenizer.decode(texts.input_ids[0], skip_special_tokens=True) == "a red fox"
    own = trained.task.model.get_submodule("blip")
    with torch.no_grad():
        both = {"pixel_values": pixels(2), **texts}
        assert torch.allclose(read(**both).logits, own(**both).logits, atol=1e-2)

    processor = BlipImageProcessor.from_pretrained(folder)
    inputs = processor(images=[World(1, 50).image(i) for i in (0, 1)], return_tensors="pt")
    written = read.generate(**inputs)
    assert written.shape[0] == 2 and written.shape[1] <= 41
    captions = tokenizer.batch_decode(written, skip_special_tokens=True)
    assert all(re.match(r"[a-z]", caption) for caption in captions), captions

    first = file_hash(folder / "model.safetensors")
    train("blip-a.yaml", folder, f"teacher={teacher}", f"start={folder}")
    assert first in (folder / "README.md").read_text()


def test_training_twice_gives_the_same_weights(train: Train, toy_tower: Make) -> None:
    folder = toy_tower("vision-a")
    train("vision-a.yaml", folder)
    first = file_hash(folder / "model.safetensors")
    train("vision-a.yaml", folder)
    assert file_hash(folder / "model.safetensors") == first


def test_the_command_prints_the_card(
    toy_tower: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = toy_tower("vision-b")
    sets = (*TOY, f"tower={folder}")
    switches = [part for override in sets for part in ("--set", override)]
    command = ["unprompt", "train", str(RECIPES / "vision-b.yaml"), *switches]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code
    card = (folder / "README.md").read_text()
    assert capsys.readouterr().out.strip() == card.strip()
    assert f"`unprompt train {RECIPES / 'vision-b.yaml'}`" in card


@pytest.mark.parametrize("device", ["cuda:99", "meta", "gpu"])
def test_a_device_that_cannot_be_used_is_one_line_and_exit_code_2(
    device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    switches = ["--set", f"runtime.device={device}", "--set", f"tower={tmp_path}"]
    command = ["unprompt", "train", str(RECIPES / "vision-b.yaml"), *switches]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"runtime.device: '{device}' cannot be used: ")
    assert list(tmp_path.iterdir()) == []


def test_a_tower_or_teacher_that_does_not_fit_is_one_clear_line(
    train: Train, toy_tower: Make, toy_teacher: Make, tmp_path: Path
) -> None:
    def problem(recipe: str, folder: Path, *overrides: str) -> str:
        with pytest.raises(ConfigError) as caught:
            train(recipe, folder, *overrides)
        (line,) = caught.value.problems
        return line

    teacher = f"teacher={toy_teacher(384)}"
    vision, blip = toy_tower("vision-b"), toy_tower("blip-a")
    for recipe, folder in (("vision-b.yaml", vision), ("blip-a.yaml", blip)):
        assert "no open_clip_config.json" in problem(recipe, folder, f"teacher={folder}")
        assert "config.json: cannot be read" in problem(recipe, tmp_path, teacher)
    assert problem("vision-b.yaml", vision, teacher) == (
        "teacher: does nothing for a tower without patches, unless `distill`"
    )
    assert "neither timm's" in problem("vision-b.yaml", blip, teacher)
    assert "`model_type` is not blip" in problem("blip-a.yaml", vision, teacher)
    assert "tokens, vocab_size 600" in problem("blip-a.yaml", blip, teacher, "vocabulary=700")

    path = blip / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"text_config": {"vocab_size": 600}}))
    assert "bos_token_id has to be 1" in problem("blip-a.yaml", blip, teacher)
    path = vision / "config.json"
    path.write_text(path.read_text().replace("efficientvit_m0", "no_such_model"))
    assert "Unknown model (no_such_model)" in problem("vision-b.yaml", vision, teacher)


def test_a_start_that_does_not_fit_is_one_clear_line(
    train: Train, toy_tower: Make, toy_teacher: Make, tmp_path: Path
) -> None:
    vision, blip = toy_tower("vision-b"), toy_tower("blip-a")
    teacher = toy_teacher(384)
    with pytest.raises(ConfigError, match=r"^start: no file .*nothing/model.safetensors$"):
        train("vision-b.yaml", vision, f"start={tmp_path / 'nothing'}")
    with pytest.raises(ConfigError, match=r"^start: no tokenizer.json in .*vision-b$"):
        train("blip-a.yaml", blip, f"start={vision}", f"teacher={teacher}")
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match=r"^start: .*model.safetensors: "):
        train("vision-b.yaml", vision, f"start={tmp_path}")
    other = toy_tower("vision-a")
    train("vision-a.yaml", other)
    with pytest.raises(ConfigError, match=r"^start: .*model.safetensors: Error.* state_dict"):
        train("vision-b.yaml", vision, f"start={other}")


def test_too_few_images_for_a_batch_are_one_clear_line(train: Train, toy_tower: Make) -> None:
    folder = toy_tower("vision-b")
    for validation in (49, 100):
        with pytest.raises(ConfigError) as caught:
            train("vision-b.yaml", folder, f"validation={validation}")
        (line,) = caught.value.problems
        held_out = f"of which {validation} are held out for validation and 8 for the test"
        assert line == f"training.batch_size: 80 images, {held_out}, leave no batch of 32"
