"""A trained CLIP image tower as a teacher.

Convolutions learn shapes from far fewer pictures than a transformer from scratch, and what they
have learned can be handed on: Touvron et al., DeiT, arXiv 2012.12877. A transformer's patch tokens
follow the teacher's feature map, place by place. A teacher that was itself drawn to the target
space also hands on its image embedding: what can be told of the prompt from the picture, without
the words that leave no trace in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt.errors import ConfigError, first_line

if TYPE_CHECKING:
    import torch


class Teacher:
    """A frozen open_clip ResNet.

    Attributes:
        channels: Of its feature map at a sixteenth of the picture's side.
        dim: Width of its image embedding.
    """

    def __init__(self, folder: Path, mean: Sequence[float], std: Sequence[float]) -> None:
        """Load the tower of a folder that `Contrastive` has written.

        Args:
            folder: Holds ``open_clip_config.json`` and weights.
            mean: What the pixels that it will be given are normalised with.
            std: Likewise.

        Raises:
            ConfigError: The folder holds no such tower.
        """
        import torch

        self._tower = _load(folder)
        self.channels = int(list(self._tower.layer3.parameters())[-1].shape[0])
        self.dim = int(self._tower.output_dim)
        own = self._tower.preprocess_cfg
        size = own["size"]
        self._size: tuple[int, int] = (size, size) if isinstance(size, int) else tuple(size)
        given = torch.tensor([mean, std])[:, :, None, None]
        wanted = torch.tensor([own["mean"], own["std"]])[:, :, None, None]
        # (given * std + mean - own mean) / own std, as one product and one sum.
        self._scale = given[1] / wanted[1]
        self._offset = (given[0] - wanted[0]) / wanted[1]

    def look(self, pixels: torch.Tensor) -> torch.Tensor:
        """The feature map that `tokens` and `rows` go on from.

        Args:
            pixels: Of shape (n, 3, H, W), normalised as the constructor was told.

        Returns:
            Of shape (n, channels, h, w), a sixteenth of the teacher's own picture size.
        """
        import torch

        with torch.no_grad():
            features: torch.Tensor = self._tower.stem(self._own(pixels))
            for layer in (self._tower.layer1, self._tower.layer2, self._tower.layer3):
                features = layer(features)
            return features

    def tokens(self, features: torch.Tensor, side: int) -> torch.Tensor:
        """What a student's patches should see.

        Args:
            features: From `look`.
            side: Patches along a side of the student's picture.

        Returns:
            Standardised features of shape (n, side * side, channels), row by row.
        """
        import torch
        from torch.nn import functional

        with torch.no_grad():
            pooled = functional.adaptive_avg_pool2d(features, (side, side))
            tokens = pooled.flatten(2).transpose(1, 2)  # (n, side * side, channels)
            return functional.layer_norm(tokens, tokens.shape[-1:])

    def rows(self, features: torch.Tensor) -> torch.Tensor:
        """The image embeddings: unit rows of shape (n, dim)."""
        import torch

        with torch.no_grad():
            embedded = self._tower.attnpool(self._tower.layer4(features))
            return torch.nn.functional.normalize(embedded.float(), dim=1)

    def _own(self, pixels: torch.Tensor) -> torch.Tensor:
        """The pixels in the teacher's normalisation and size."""
        import torch

        if pixels.shape[2:] != self._size:
            pixels = torch.nn.functional.interpolate(
                pixels, self._size, mode="bicubic", antialias=True, align_corners=False
            ).contiguous(memory_format=torch.channels_last)
        if (self._scale == 1).all() and (self._offset == 0).all():
            return pixels
        return pixels * self._scale + self._offset


def _load(folder: Path) -> Any:
    """The image tower, frozen; ConfigError where there is none to load."""
    import open_clip
    import torch

    if not (folder / "open_clip_config.json").is_file():
        raise ConfigError(f"teacher: no open_clip_config.json in {folder}")
    try:
        model = open_clip.create_model(f"local-dir:{folder}")
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ConfigError(f"teacher: {folder}: {first_line(error)}") from error
    tower = model.visual.eval().requires_grad_(False)
    if not hasattr(tower, "layer3"):
        raise ConfigError(f"teacher: {folder}: not a ResNet, and only those have a feature map")
    return tower.to(memory_format=torch.channels_last)
