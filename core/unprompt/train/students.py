"""Image towers that a regression trains, each built from the configuration in its folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from unprompt.errors import ConfigError, first_line
from unprompt.train.lessons import Seen

if TYPE_CHECKING:
    import torch


class Student(Protocol):
    """An image tower with random weights.

    Attributes:
        module: The tower.
        size: Side of its pictures in pixels.
        mean: Of each colour channel, in [0, 1]; pixels are normalised with it.
        std: Likewise.
        width: Of its pooled output.
        patches: Whether it gives patch tokens.
    """

    module: torch.nn.Module
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    width: int
    patches: bool

    def see(self, module: torch.nn.Module, pixels: torch.Tensor) -> Seen:
        """What the tower, under the weights of ``module``, makes of (n, 3, size, size)."""
        ...


def open_student(folder: Path) -> Student:
    """The tower that ``config.json`` describes: transformers' CLIP vision tower, or timm's.

    Raises:
        ConfigError: There is none, or it is neither.
    """
    config = read_json(folder / "config.json")
    if "architecture" in config:
        return TimmStudent(folder)
    if config.get("model_type") == "clip_vision_model":
        return ClipVisionStudent(folder)
    raise ConfigError(
        f"tower: {folder / 'config.json'}: neither timm's (`architecture`) nor a CLIP vision "
        f"tower of transformers (`model_type: clip_vision_model`)"
    )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a tower's folder. Raises ConfigError where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"tower: {path}: cannot be read: {first_line(error)}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"tower: {path}: not a JSON object")
    return found


class ClipVisionStudent:
    """The vision transformer of transformers' CLIP (the seed's CLIP-L14)."""

    patches = True

    def __init__(self, folder: Path) -> None:
        """Build the tower of ``folder``: ``config.json`` and ``preprocessor_config.json``."""
        from transformers import CLIPVisionConfig, CLIPVisionModel

        config = CLIPVisionConfig.from_pretrained(folder)
        preprocess = read_json(folder / "preprocessor_config.json")
        self.size = int(preprocess["crop_size"]["height"])
        self.mean = tuple(preprocess["image_mean"])
        self.std = tuple(preprocess["image_std"])
        self.width = config.hidden_size
        self.module: torch.nn.Module = CLIPVisionModel(config)

    def see(self, module: torch.nn.Module, pixels: torch.Tensor) -> Seen:
        """Pooled output, and the tokens of `middle`."""
        seen = module(pixel_values=pixels, output_hidden_states=True)
        return Seen(seen.pooler_output, middle(seen.hidden_states))


class TimmStudent:
    """A timm model without its classifier (the seed's CLIP-L16-384)."""

    patches = False

    def __init__(self, folder: Path) -> None:
        """Build the tower of ``folder``: ``config.json`` in the layout of timm's hub.

        Raises:
            ConfigError: timm cannot build it.
        """
        import timm
        from timm.data.config import resolve_data_config

        try:
            self.module: torch.nn.Module = timm.create_model(
                f"local-dir:{folder}", pretrained=False, num_classes=0
            )
        except (KeyError, RuntimeError, TypeError) as error:
            path = folder / "config.json"
            raise ConfigError(f"tower: {path}: {first_line(error)}") from error
        data = resolve_data_config(model=self.module)  # type: ignore[no-untyped-call]  # timm's
        self.size = int(data["input_size"][1])
        self.mean, self.std = tuple(data["mean"]), tuple(data["std"])
        self.width = int(self.module.num_features)  # type: ignore[arg-type]  # timm's, an int

    def see(self, module: torch.nn.Module, pixels: torch.Tensor) -> Seen:
        """Pooled features; a convolution's map needs no teacher."""
        return Seen(module(pixels))


def middle(layers: Sequence[torch.Tensor]) -> torch.Tensor:
    """Patch tokens two thirds up a vision transformer; the layers above are left to the task.

    Args:
        layers: The input of the first layer and the output of each, (n, 1 + places, width); the
            class token comes first.
    """
    return layers[2 * (len(layers) - 1) // 3][:, 1:]
