"""The checkpoints of the 68th-place solution load as they are, with their heads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from unprompt.contracts import Predictor, Runtime, TrainSet
from unprompt.embeddings import Embeddings, unit
from unprompt.errors import DataError
from unprompt.testing import (
    HashedWords,
    example_images,
    example_train_set,
    make_prepared,
    rows_of,
)
from unprompt_clip.l14 import L14Options
from unprompt_clip.l16_384 import L16Options
from unprompt_clip.regressor import ClipRegressor, TimmRegressor

from .conftest import MakeFolder

Rows = dict[str, npt.NDArray[np.float32]]
PREFIXES = ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."]
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "resize": "squash"}


class WideWords(HashedWords):
    """As wide as the competition's space; a whole text is one direction."""

    @property
    def dim(self) -> int:
        return 384

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return unit(np.stack([self._word(text) for text in texts]))


def predicted(
    family: Callable[[Any, Runtime], Predictor], options: Any, artifact: Path, encoder: HashedWords
) -> Rows:
    """The rows of `example_images`, through the family's whole life."""
    artifact.mkdir()
    train = example_train_set(encoder, count=6)
    prepared = make_prepared(family, options, artifact, train)
    return rows_of(prepared.load(Runtime()), example_images())


def check_rows(rows: Rows, model: Any, pixels: Callable[[Any], Any]) -> None:
    """What the 68th-place solution computed: the model's output, normalised."""
    import torch

    images = example_images()
    with torch.inference_mode():
        for name in images.ids:
            wanted = torch.nn.functional.normalize(model(pixels(images.open(name))), dim=-1)
            np.testing.assert_allclose(rows[name], wanted[0].numpy(), atol=1e-5, err_msg=name)


# clip-l14: transformers' vision tower as `vision`, a Linear as `fc`


@pytest.fixture
def kaggle_l14(hub: Any, vision_folder: MakeFolder) -> tuple[Any, Any, str]:
    """The 68th-place solution's module with a small tower, its pixels, and the tower's hub id."""
    import torch
    from transformers import CLIPImageProcessor, CLIPVisionModel

    folder = vision_folder()
    tower: Any = CLIPVisionModel.from_pretrained(folder)

    class Vision(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vision = tower
            self.fc = torch.nn.Linear(32, 384)

        def forward(self, pixels: Any) -> Any:
            return self.fc(self.vision(pixel_values=pixels).pooler_output)

    torch.manual_seed(5)
    processor = CLIPImageProcessor.from_pretrained(folder)
    (folder / "model.safetensors").unlink()  # only the architecture is on the hub
    hub.add("somebody/small-vision", folder)
    pixels = lambda image: processor(image, return_tensors="pt").pixel_values
    return Vision().eval(), pixels, "somebody/small-vision"


def l14(model: str, path: Path) -> L14Options:
    return L14Options.model_validate({"backbone": {"model": model, "checkpoint": str(path)}})


@pytest.mark.parametrize("prefix", PREFIXES)
def test_an_l14_checkpoint(prefix: str, kaggle_l14: tuple[Any, Any, str], tmp_path: Path) -> None:
    import torch

    model, pixels, hub_id = kaggle_l14
    state = model.state_dict()
    assert {name.partition(".")[0] for name in state} == {"vision", "fc"}
    torch.save({prefix + name: value for name, value in state.items()}, tmp_path / "l14.pth")
    options = l14(hub_id, tmp_path / "l14.pth")
    check_rows(predicted(ClipRegressor, options, tmp_path / "a", WideWords()), model, pixels)


def test_an_l14_checkpoint_as_transformers_named_things_then(
    kaggle_l14: tuple[Any, Any, str], tmp_path: Path
) -> None:
    import torch

    model, pixels, hub_id = kaggle_l14
    old = {}
    for name, value in model.state_dict().items():
        inner = name.removeprefix("vision.").removeprefix("vision_model.")
        old[f"vision.vision_model.{inner}" if name.startswith("vision.") else name] = value
    old["vision.vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    assert "vision.vision_model.pre_layrnorm.weight" in old
    torch.save(old, tmp_path / "old.pth")
    options = l14(hub_id, tmp_path / "old.pth")
    check_rows(predicted(ClipRegressor, options, tmp_path / "a", WideWords()), model, pixels)


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
def test_a_checkpoint_of_a_training_loop(
    wrapper: str, kaggle_l14: tuple[Any, Any, str], tmp_path: Path
) -> None:
    import torch

    model, pixels, hub_id = kaggle_l14
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    content = {"epoch": 3, wrapper: state, "optimizer": {"state": {}, "param_groups": []}}
    torch.save(content, tmp_path / "last.ckpt")
    options = l14(hub_id, tmp_path / "last.ckpt")
    check_rows(predicted(ClipRegressor, options, tmp_path / "a", WideWords()), model, pixels)


def test_an_l14_checkpoint_as_safetensors(kaggle_l14: tuple[Any, Any, str], tmp_path: Path) -> None:
    from safetensors.torch import save_file

    model, pixels, hub_id = kaggle_l14
    save_file(model.state_dict(), tmp_path / "l14.safetensors")
    options = l14(hub_id, tmp_path / "l14.safetensors")
    check_rows(predicted(ClipRegressor, options, tmp_path / "a", WideWords()), model, pixels)


def test_a_head_for_another_space_is_an_error(
    kaggle_l14: tuple[Any, Any, str], tmp_path: Path
) -> None:
    import torch

    model, _, hub_id = kaggle_l14
    torch.save(model.state_dict(), tmp_path / "l14.pth")
    with pytest.raises(DataError, match=r"l14\.pth predicts 384 numbers, the text encoder has 32"):
        predicted(ClipRegressor, l14(hub_id, tmp_path / "l14.pth"), tmp_path / "a", HashedWords())


def test_a_checkpoint_with_a_head_needs_no_train_set(
    kaggle_l14: tuple[Any, Any, str], tmp_path: Path
) -> None:
    import torch

    model, pixels, hub_id = kaggle_l14
    torch.save(model.state_dict(), tmp_path / "l14.pth")
    encoder = WideWords()
    nothing = Embeddings((), np.empty((0, 384), np.float32))
    train = TrainSet((), example_images().select(()), nothing, encoder)
    (tmp_path / "a").mkdir()
    options = l14(hub_id, tmp_path / "l14.pth")
    predictor = ClipRegressor(options, Runtime())
    predictor.prepare(train, tmp_path / "a")
    predictor.load(tmp_path / "a")
    check_rows(rows_of(predictor, example_images()), model, pixels)


# clip-l16-384: a timm model with num_classes=384


@pytest.fixture
def kaggle_l16() -> tuple[Any, Any]:
    """timm's model with a head of 384, and its pixels as the 68th-place solution made them."""
    import timm
    import torch
    from torchvision.transforms import Compose, InterpolationMode, Normalize, Resize, ToTensor

    torch.manual_seed(6)
    model = timm.create_model("test_vit", num_classes=384).eval()
    normalise = Normalize(IMAGENET["mean"], IMAGENET["std"])
    resize = Resize((160, 160), InterpolationMode.BICUBIC)
    transform = Compose([resize, ToTensor(), normalise])
    return model, lambda image: transform(image)[None]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_an_l16_384_checkpoint(prefix: str, kaggle_l16: tuple[Any, Any], tmp_path: Path) -> None:
    import torch

    model, pixels = kaggle_l16
    state = model.state_dict()
    assert state["head.weight"].shape[0] == 384
    torch.save({prefix + name: value for name, value in state.items()}, tmp_path / "l16.pth")
    source = {
        "model": "test_vit",
        "checkpoint": str(tmp_path / "l16.pth"),
        "preprocess": {"size": 160, **IMAGENET},
    }
    options = L16Options.model_validate({"backbone": source})
    check_rows(predicted(TimmRegressor, options, tmp_path / "a", WideWords()), model, pixels)
