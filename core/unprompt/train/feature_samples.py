"""Frozen features as the samples of a fit: a head is fitted alone by the same loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from unprompt.contracts import Images
from unprompt.train.samples import Pick, SampleBatch
from unprompt.types import FloatArray

if TYPE_CHECKING:
    import torch


class AsTheyAre:
    """Inputs that nothing is done to."""

    __slots__ = ()

    def normalise(self, batch: torch.Tensor) -> torch.Tensor:
        """The same."""
        return batch


FEATURES = AsTheyAre()
"""What a task says of its inputs where they are features."""


class FeatureSamples:
    """A `SampleSet`: (epoch, row) -> features of shape (F,); every epoch sees the same.

    Attributes:
        images: N images, for their ids; none is opened.
        remote: None: features are in memory.
    """

    remote = None

    def __init__(self, images: Images, features: FloatArray) -> None:
        """Open no image.

        Args:
            images: N images.
            features: Of shape (N, F); may be memory-mapped.
        """
        self.images, self._features = images, features

    @property
    def shape(self) -> tuple[int, ...]:
        """(F,)."""
        return self._features.shape[1:]

    def __len__(self) -> int:
        """N."""
        return len(self.images)

    def __getitem__(self, pick: Pick) -> torch.Tensor:
        """One image's features."""
        import torch

        return torch.from_numpy(np.array(self._features[pick[1]]))

    def holds(self, picks: Sequence[Pick]) -> bool:
        """All of them."""
        return True

    def batch(self, picks: Sequence[Pick], *, pin: bool = False) -> SampleBatch:
        """Several images' features."""
        import torch

        rows = np.array([row for _, row in picks], np.int64)
        features = torch.from_numpy(np.asarray(self._features[rows]))
        return SampleBatch(
            features.pin_memory() if pin else features, torch.from_numpy(rows), broken=()
        )
