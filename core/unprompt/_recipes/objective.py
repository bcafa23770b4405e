"""What the training loop asks of an objective, and how its checkpoint is read and written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from unprompt._recipes.models import Preprocess

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


class Objective(ABC):
    """A model to train, its loss on a batch, and its scores.

    Made of a recipe's options and the `Targets` of N images, with random parameters; ConfigError
    where the tower's folder, or the teacher's, does not fit them.

    ``rows`` say which of the N images a batch holds. They are in the processor's memory, like
    everything that there is of each image; only a batch's part of it goes to the pixels' device.

    Attributes:
        saved: Name of the module inside `model` that is kept; heads beside it are not.
        file: Name of its checkpoint.
        model: What is trained.
        preprocess: How images become its pixels.
        tokenizer: Of its text side, if it has one.
    """

    saved: ClassVar[str]
    file: ClassVar[str] = "model.safetensors"
    model: torch.nn.Module
    preprocess: Preprocess
    tokenizer: PreTrainedTokenizerBase | None = None

    @abstractmethod
    def loss(self, pixels: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Of a batch: pixels of shape (n, 3, size, size), rows of shape (n,)."""

    @abstractmethod
    def score(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, float]:
        """Of a held-out batch, under the parameters of ``model``, such as the moving average."""

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Start from the checkpoint that `save` wrote; heads start from random parameters again.

        Raises:
            RuntimeError: They do not fit.
        """
        module = self.model.get_submodule(self.saved)
        tied = {name: state[of] for name, of in _tied(module).items() if of in state}
        module.load_state_dict(state | tied)

    def save(self, model: torch.nn.Module, folder: Path) -> None:
        """Write parameters without heads, tied ones once, and the tokenizer.

        float16 halves the file; it is read back as float32.
        """
        from safetensors.torch import save_file

        module = model.get_submodule(self.saved)
        tied = _tied(module)
        state = {
            name: value.half().contiguous() if value.is_floating_point() else value
            for name, value in module.state_dict().items()
            if name not in tied
        }
        save_file(state, folder / self.file, metadata={"format": "pt"})
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(folder)


def _tied(model: torch.nn.Module) -> dict[str, str]:
    """Parameters that are another one under a second name; transformers lists them."""
    tied: dict[str, str] = getattr(model, "all_tied_weights_keys", {})
    return tied
