"""Image towers to train, built with random parameters from the configuration in their folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt._files import reading
from unprompt._recipes.attention import short_attention
from unprompt.errors import ConfigError, DataError, MissingFileError
from unprompt.towers import loading
from unprompt.train.pixels import Pixels

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Features:
    """What an image tower makes of a batch.

    Attributes:
        pooled: Of shape (n, width).
        tokens: Patch tokens of a middle layer, (n, side * side, width); None where it has none.
    """

    pooled: torch.Tensor
    tokens: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class ImageTower:
    """An image tower and how it is run.

    Attributes:
        model: The tower.
        forward: From the tower, or a copy with other parameters, and pixels (n, 3, size, size).
        pixels: How images become its input.
        width: Of its pooled output and its tokens.
        patches: Whether it gives patch tokens.
    """

    model: torch.nn.Module
    forward: Callable[[torch.nn.Module, torch.Tensor], Features]
    pixels: Pixels
    width: int
    patches: bool


def build_tower(folder: Path) -> ImageTower:
    """The tower that ``config.json`` describes: transformers' CLIP vision tower, or timm's.

    Raises:
        ConfigError: There is none, it is neither, or it cannot be built.
    """
    config = read_json(folder / "config.json")
    if "architecture" in config:
        return _timm(folder)
    if config.get("model_type") == "clip_vision_model":
        return _clip_vision(folder)
    raise ConfigError(
        f"tower: {folder / 'config.json'}: neither timm's (`architecture`) nor a CLIP vision "
        f"tower of transformers (`model_type: clip_vision_model`)"
    )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a tower's folder. Raises ConfigError where there is none."""
    try:
        return reading.read_json(path, dict)
    except DataError as error:
        raise ConfigError([f"tower: {line}" for line in error.problems]) from error


@contextmanager
def building(folder: Path) -> Iterator[None]:
    """Turn what a library says of a configuration into one line. Raises ConfigError."""
    try:
        with loading(folder, "tower"):
            yield
    except (DataError, MissingFileError) as error:
        raise ConfigError(error.problems) from error


def read_preprocess(folder: Path, size: str) -> Pixels:
    """From transformers' ``preprocessor_config.json``; ``size`` is its key for the final size."""
    config = read_json(folder / "preprocessor_config.json")
    with building(folder / "preprocessor_config.json"):
        mean, std = (tuple(map(float, config[name])) for name in ("image_mean", "image_std"))
        return Pixels(int(config[size]["height"]), mean, std)


def vit_features(output: Any) -> Features:
    """Pooled output and patch tokens of a vision transformer of transformers.

    The tokens are taken two thirds up: the layers above are left to the task.

    Args:
        output: With `hidden_states`: the input of the first layer and the output of each,
            (n, 1 + side * side, width); the class token comes first.
    """
    layers: Sequence[torch.Tensor] = output.hidden_states
    return Features(output.pooler_output, layers[2 * (len(layers) - 1) // 3][:, 1:])


def _clip_vision(folder: Path) -> ImageTower:
    """The vision transformer of transformers' CLIP, as CLIP-L14 of the 68th-place solution."""
    from transformers import CLIPVisionConfig, CLIPVisionModel

    def forward(model: torch.nn.Module, pixels: torch.Tensor) -> Features:
        with short_attention(pixels.device.type):
            return vit_features(model(pixel_values=pixels, output_hidden_states=True))

    pixels = read_preprocess(folder, "crop_size")
    with building(folder / "config.json"):
        config = CLIPVisionConfig.from_pretrained(folder)
        model: Any = CLIPVisionModel(config)
    return ImageTower(model, forward, pixels, config.hidden_size, patches=True)


def _timm(folder: Path) -> ImageTower:
    """A timm model without its classifier, as CLIP-L16-384 of the 68th-place solution."""
    import timm
    from timm.data.config import resolve_data_config

    def forward(model: torch.nn.Module, pixels: torch.Tensor) -> Features:
        return Features(model(pixels))

    with building(folder / "config.json"):
        model = timm.create_model(f"local-dir:{folder}", pretrained=False, num_classes=0)
    data = resolve_data_config(model=model)  # type: ignore[no-untyped-call]  # timm's
    pixels = Pixels(int(data["input_size"][1]), tuple(data["mean"]), tuple(data["std"]))
    width = int(model.num_features)  # type: ignore[arg-type]  # timm's, an int
    return ImageTower(model, forward, pixels, width, patches=False)
