"""Every way to name a tower gives the model and the preprocess that its own library gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from unprompt.contracts import Runtime
from unprompt.errors import ConfigError
from unprompt.testing import example_images
from unprompt.towers import ClipTowers, TimmTower, VisionTower

from .conftest import OFFLINE, HubCache, MakeFolder, read

Rows = npt.NDArray[np.float32]
TEXTS = ["a red wall", "a lighthouse at night, oil painting"]
PREPROCESS = {
    "size": 32,
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
}


def pil_images() -> list[Image.Image]:
    images = example_images()
    return [images.open(name) for name in ("square", "large", "tall")]


def pixels_of(tower: Any) -> Any:
    import torch

    return torch.stack([tower.preprocess(image) for image in pil_images()])


def unit(rows: Any) -> Rows:
    import torch

    normalised: Rows = torch.nn.functional.normalize(rows, dim=-1).numpy()
    return normalised


# open_clip


@pytest.fixture
def clip_rows(clip_folder: MakeFolder) -> tuple[Path, Rows, Rows]:
    """A folder, and the image and text rows that open_clip itself gives with it."""
    import open_clip
    import torch

    folder = clip_folder("clip-source")
    name = f"local-dir:{folder}"
    model, preprocess = open_clip.create_model_from_pretrained(name)
    with torch.inference_mode():
        images = model.eval().encode_image(
            torch.stack([preprocess(image) for image in pil_images()])
        )
        texts = model.encode_text(open_clip.get_tokenizer(name)(TEXTS))
    return folder, unit(images), unit(texts)


def check_clip(config: Any, images: Rows, texts: Rows) -> None:
    towers = ClipTowers(config, OFFLINE, "own")
    assert (towers.dim, towers.context) == (24, 16)
    np.testing.assert_allclose(towers.images(pixels_of(towers)), images, atol=1e-5)
    np.testing.assert_allclose(towers.texts(TEXTS), texts, atol=1e-5)


def test_an_open_clip_folder(clip_rows: tuple[Path, Rows, Rows]) -> None:
    folder, images, texts = clip_rows
    for given in ({"folder": str(folder)}, {"model": f"local-dir:{folder}"}):
        check_clip(read(ClipTowers, **given), images, texts)


def test_an_open_clip_repository_of_the_hub(
    hub: HubCache, clip_rows: tuple[Path, Rows, Rows]
) -> None:
    folder, images, texts = clip_rows
    hub.add("somebody/small-clip", folder)
    check_clip(read(ClipTowers, model="hf-hub:somebody/small-clip"), images, texts)


def test_an_open_clip_name_with_a_checkpoint(
    small_clip: str, clip_rows: tuple[Path, Rows, Rows], tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file

    folder, images, texts = clip_rows
    safe = folder / "open_clip_model.safetensors"
    saved = tmp_path / "saved.pt"
    torch.save({"state_dict": load_file(safe)}, saved)
    for path in (safe, saved):
        config = read(ClipTowers, model=small_clip, checkpoint=str(path), preprocess=PREPROCESS)
        check_clip(config, images, texts)


def test_the_tag_says_how_images_become_pixels() -> None:
    import torch

    dry_run = Runtime(device="meta", offline=True, dry_run=True)
    grey = Image.new("RGB", (300, 200), (51, 51, 51))  # 0.2 in every channel
    with torch.device("meta"):  # the architecture only: no checkpoint and no memory
        clip = ClipTowers(
            read(ClipTowers, model="ViT-L-14", pretrained="laion400m_e32"), dry_run, "own"
        )
        other = ClipTowers(
            read(ClipTowers, model="ViT-L-14", pretrained="laion2b_s32b_b82k"), dry_run, "own"
        )
    with torch.device("cpu"):
        both = [tower.preprocess(grey) for tower in (clip, other)]
    assert [tuple(pixels.shape) for pixels in both] == [(3, 224, 224)] * 2
    mean, std = torch.tensor(PREPROCESS["mean"]), torch.tensor(PREPROCESS["std"])
    assert torch.allclose(both[0].mean((1, 2)), (0.2 - mean) / std, atol=1e-4)
    assert torch.allclose(both[1].mean((1, 2)), torch.full((3,), (0.2 - 0.5) / 0.5), atol=1e-4)


# transformers


def check_vision(config: Any, folder: Path) -> None:
    """The tower gives what transformers gives with the model and processor in ``folder``."""
    import torch
    from transformers import CLIPImageProcessor, CLIPVisionModel

    inputs = CLIPImageProcessor.from_pretrained(folder)(pil_images(), return_tensors="pt")
    model: Any = CLIPVisionModel.from_pretrained(folder, dtype=torch.float32)
    with torch.inference_mode():
        wanted = model.eval()(**inputs).pooler_output.numpy()
    tower = VisionTower(config, OFFLINE, "own")
    assert tower.head is None
    assert tower.dim == wanted.shape[1]
    np.testing.assert_allclose(tower.features(pixels_of(tower)), wanted, atol=1e-4)


def test_a_transformers_folder(vision_folder: MakeFolder) -> None:
    folder = vision_folder()
    check_vision(read(VisionTower, folder=str(folder)), folder)


def test_a_transformers_hub_id(hub: HubCache, vision_folder: MakeFolder) -> None:
    folder = vision_folder()
    hub.add("somebody/small-vision", folder)
    check_vision(read(VisionTower, model="somebody/small-vision"), folder)


def test_a_folder_in_an_installed_package() -> None:
    import unprompt_painter

    inside = "unprompt_painter/checkpoints/vision-a"
    folder = Path(unprompt_painter.__file__).parent / "checkpoints" / "vision-a"
    check_vision(read(VisionTower, folder=f"package:{inside}"), folder)


# timm


def check_timm(config: Any, state: dict[str, Any], wanted_pixels: Any) -> None:
    """The tower's pixels, and its features: timm's before the classifier."""
    import timm
    import torch

    model: Any = timm.create_model("test_vit")
    model.load_state_dict(state)
    tower = TimmTower(config, OFFLINE, "own")
    pixels = pixels_of(tower)
    assert torch.allclose(pixels, wanted_pixels, atol=1e-6)
    with torch.inference_mode():
        wanted = model.eval().forward_head(model.forward_features(pixels), pre_logits=True)
    assert tower.dim == wanted.shape[1]
    np.testing.assert_allclose(tower.features(pixels), wanted.numpy(), atol=1e-5)


@pytest.fixture
def timm_model() -> Any:
    import timm
    import torch

    torch.manual_seed(3)
    return timm.create_model("test_vit").eval()


def timm_pixels(model: Any) -> Any:
    """As timm prepares images for the model's tag."""
    import torch
    from timm.data.config import resolve_model_data_config
    from timm.data.transforms_factory import create_transform

    resolve: Any = resolve_model_data_config
    configuration = resolve(model)
    transform: Any = create_transform(**configuration, is_training=False)
    return torch.stack([transform(image) for image in pil_images()])


def test_a_timm_name_and_tag(hub: HubCache, timm_model: Any, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    (tmp_path / "download").mkdir()
    save_file(timm_model.state_dict(), tmp_path / "download" / "model.safetensors")
    hub.add("timm/test_vit.r160_in1k", tmp_path / "download")
    pixels = timm_pixels(timm_model)
    assert pixels.shape[1:] == (3, 160, 160)
    check_timm(
        read(TimmTower, model="test_vit", pretrained="r160_in1k"), timm_model.state_dict(), pixels
    )


def test_a_timm_name_with_a_checkpoint(timm_model: Any, tmp_path: Path) -> None:
    import torch
    from torchvision.transforms import Compose, InterpolationMode, Normalize, Resize, ToTensor

    path = tmp_path / "tower.pth"
    state = {k: v for k, v in timm_model.state_dict().items() if not k.startswith("head.")}
    torch.save(state, path)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    given = {"size": 160, "mean": list(mean), "std": list(std), "resize": "squash"}
    squash = Compose(
        [Resize((160, 160), InterpolationMode.BICUBIC), ToTensor(), Normalize(mean, std)]
    )
    config = read(TimmTower, model="test_vit", checkpoint=str(path), preprocess=given)
    wanted = torch.stack([squash(image) for image in pil_images()])
    check_timm(config, timm_model.state_dict(), wanted)


def test_a_timm_folder(timm_model: Any, tmp_path: Path) -> None:
    from timm.models import save_for_hf

    folder = tmp_path / "timm-folder"
    save_for_hf(timm_model, str(folder), safe_serialization=True)
    check_timm(
        read(TimmTower, folder=str(folder)), timm_model.state_dict(), timm_pixels(timm_model)
    )


def test_a_checkpoint_of_another_architecture_is_refused(timm_model: Any, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "half.pth"
    torch.save({"blocks.0.norm1.weight": torch.zeros(64)}, path)
    config = read(TimmTower, model="test_vit", checkpoint=str(path), preprocess=PREPROCESS)
    with pytest.raises(
        ConfigError, match=r"^own: .*half\.pth: not a checkpoint of test_vit.*'cls_t"
    ):
        TimmTower(config, OFFLINE, "own")
