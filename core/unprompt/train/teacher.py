"""A trained CLIP image tower as a teacher for a vision transformer.

Convolutions learn shapes from far fewer pictures than a transformer from scratch, and what they
have learned can be handed on: Touvron et al., DeiT, arXiv 2012.12877. Here the student's patch
tokens follow the teacher's feature map, place by place.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class Teacher:
    """A frozen open_clip ResNet.

    Attributes:
        channels: Of its feature map at a sixteenth of the picture's side.
    """

    def __init__(self, folder: Path) -> None:
        """Load the tower of a folder that `Contrastive` has written."""
        import open_clip

        model = open_clip.create_model(f"local-dir:{folder}").eval().requires_grad_(False)
        self._tower = model.visual
        self.channels = int(list(self._tower.layer3.parameters())[-1].shape[0])

    def __call__(self, pixels: torch.Tensor, side: int) -> torch.Tensor:
        """What the student should see.

        Args:
            pixels: Of shape (n, 3, H, W), normalised as both towers want them.
            side: Patches along a side of the student's picture.

        Returns:
            Standardised features of shape (n, side * side, channels), row by row.
        """
        import torch
        from torch.nn import functional

        with torch.no_grad():
            features = self._tower.stem(pixels)
            for layer in (self._tower.layer1, self._tower.layer2, self._tower.layer3):
                features = layer(features)
            pooled = functional.adaptive_avg_pool2d(features, (side, side))
            tokens = pooled.flatten(2).transpose(1, 2)  # (n, side * side, channels)
            return functional.layer_norm(tokens, tokens.shape[-1:])
