"""A trained CLIP image tower as a teacher.

Convolutions learn shapes from far fewer images than a transformer from scratch, and what they have
learned can be distilled: Touvron et al., DeiT, arXiv 2012.12877. A transformer's patch tokens are
fitted to the teacher's feature map at the same place. A teacher that was itself trained towards the
target space also gives its image embedding: what can be known of the prompt from the image, without
the words that leave no trace in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unprompt.errors import ConfigError, first_line
from unprompt.train.pixels import Pixels

if TYPE_CHECKING:
    import torch


class Teacher:
    """A frozen open_clip ResNet.

    Attributes:
        channels: Of its feature map at a sixteenth of the image's side.
        dim: Width of its image embedding.
    """

    def __init__(self, folder: Path, pixels: Pixels, device: str = "cpu") -> None:
        """Load the tower of a folder that `Contrastive` has written.

        Args:
            folder: Holds ``open_clip_config.json`` and a checkpoint.
            pixels: What the pixels that it will be given are normalised with.
            device: Where they will be.

        Raises:
            ConfigError: The folder holds no such tower.
        """
        import torch

        self._tower = _load(folder).to(device)
        self.channels = int(list(self._tower.layer3.parameters())[-1].shape[0])
        self.dim = int(self._tower.output_dim)
        own = self._tower.preprocess_cfg
        size = own["size"]
        self._size: tuple[int, int] = (size, size) if isinstance(size, int) else tuple(size)
        given = torch.tensor([pixels.mean, pixels.std])[:, :, None, None]
        wanted = torch.tensor([own["mean"], own["std"]])[:, :, None, None]
        # (given * std + mean - own mean) / own std, as one product and one sum.
        self._scale = (given[1] / wanted[1]).to(device)
        self._offset = ((given[0] - wanted[0]) / wanted[1]).to(device)

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """From pixels (n, 3, H, W) the feature map that `tokens` and `embeddings` go on from.

        Returns:
            Of shape (n, channels, h, w), a sixteenth of the teacher's own image size.
        """
        features: torch.Tensor = self._tower.stem(self._own(pixels))
        for layer in (self._tower.layer1, self._tower.layer2, self._tower.layer3):
            features = layer(features)
        return features

    def tokens(self, features: torch.Tensor, side: int) -> torch.Tensor:
        """Targets for a transformer's patch tokens, ``side`` of them along a side of the image.

        Returns:
            Standardised features of shape (n, side * side, channels), row by row.
        """
        from torch.nn import functional

        pooled = functional.adaptive_avg_pool2d(features, (side, side))
        tokens = pooled.flatten(2).transpose(1, 2)
        return functional.layer_norm(tokens, tokens.shape[-1:])

    def embeddings(self, features: torch.Tensor) -> torch.Tensor:
        """The image embeddings: unit rows of shape (n, dim)."""
        from torch.nn.functional import normalize

        embedded = self._tower.attnpool(self._tower.layer4(features))
        return normalize(embedded.float(), dim=1)

    def _own(self, pixels: torch.Tensor) -> torch.Tensor:
        """The pixels in the teacher's normalisation and size."""
        import torch

        if pixels.shape[2:] != self._size:
            pixels = torch.nn.functional.interpolate(
                pixels, self._size, mode="bicubic", antialias=True, align_corners=False
            ).contiguous(memory_format=torch.channels_last)
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
