"""What the training loop asks of an objective, and how every objective writes weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch


class Objective(Protocol):
    """A tower to train, its loss on a batch, its score, and how it is saved.

    Attributes:
        size: Side of the pictures in pixels.
        mean: Of each colour channel, in [0, 1]; pixels are normalised with it.
        std: Likewise.
    """

    @property
    def model(self) -> torch.nn.Module:
        """What is trained."""
        ...

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def loss(self, pixels: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Of one batch: pixels (n, 3, size, size), and which of the N pictures they are, (n,)."""
        ...

    def score(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, float]:
        """Of a held-out batch under other weights, such as the moving average."""
        ...

    def read(self, state: dict[str, torch.Tensor]) -> None:
        """Start from weights that `save` wrote. Raises RuntimeError where they do not fit."""
        ...

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """Write weights (float16) and everything else that loading needs."""
        ...


def save_half(model: torch.nn.Module, path: Path) -> None:
    """Write a model's weights as safetensors; tied weights once.

    float16 halves the file; it is read back as float32.
    """
    from safetensors.torch import save_file

    tied = getattr(model, "all_tied_weights_keys", {})  # transformers knows them by this name
    state = {
        name: value.detach().half().contiguous() if value.is_floating_point() else value
        for name, value in model.state_dict().items()
        if name not in tied
    }
    save_file(state, path, metadata={"format": "pt"})
