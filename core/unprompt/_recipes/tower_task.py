"""What every objective of a recipe shares: a task whose checkpoint is read and written."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from unprompt.train.pixels import Pixels
from unprompt.train.task import Task

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


class TowerTask(Task):
    """A tower to train, with heads that are not kept.

    Made of a recipe's options and the `Targets` of N images, with random parameters; ConfigError
    where the tower's folder, or the teacher's, does not fit them.

    Attributes:
        pixels: How images become the model's input.
        saved: Name of the module inside `model` that is kept.
        file: Name of its checkpoint.
        reads_images: Whether it looks at images at all; else none is opened.
        first: Row of the first validation sample among the N images.
        tokenizer: Of its text side, if it has one.
    """

    pixels: Pixels
    saved: ClassVar[str]
    file: ClassVar[str] = "model.safetensors"
    reads_images: ClassVar[bool] = True
    first: int = 0
    tokenizer: PreTrainedTokenizerBase | None = None

    @abstractmethod
    def scores(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """One number per image of each score, (n,), of held-out images, all at once.

        ``rows`` are their numbers among the N images. The higher the first score's mean, the
        better the tower.
        """

    def score(
        self, model: torch.nn.Module, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]
    ) -> dict[str, float]:
        """Means over all validation images, scored at once, as a recall among them needs."""
        import torch

        parts = list(batches)
        pixels = torch.cat([part for part, _ in parts])
        rows = torch.cat([part for _, part in parts])
        scores = self.scores(model, pixels, rows + self.first)
        return {name: float(values.double().mean()) for name, values in scores.items()}

    def prepare(self) -> None:
        """Get ready to be fitted, after `load`; the default does nothing."""
        return

    def drawn(self, count: int) -> torch.Tensor:
        """Rows of ``count`` images, drawn at random among those that are trained on."""
        import torch

        if not count:
            return torch.empty(0, dtype=torch.int64)
        return torch.randint(0, self.first, (count,))

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Start from the checkpoint that `save` wrote; heads start from random parameters again.

        Raises:
            RuntimeError: They do not fit.
        """
        module = self.model.get_submodule(self.saved)
        tied = {name: state[of] for name, of in _tied(module).items() if of in state}
        module.load_state_dict(state | tied)

    def save(self, folder: Path) -> None:
        """Write parameters without heads, tied ones once, and the tokenizer.

        float16 halves the file; it is read back as float32.
        """
        from safetensors.torch import save_file

        module = self.model.get_submodule(self.saved)
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
