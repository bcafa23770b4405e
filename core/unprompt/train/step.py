"""One step's forward pass as a module, and its random numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unprompt.train.task import Task

if TYPE_CHECKING:
    import torch

_SEEDS = 2**63


def training_step(task: Task) -> torch.nn.Module:
    """A module from 8-bit pixels and rows to the loss.

    What distributes or compiles a model wraps its ``forward``, so that has to be all that is done.
    Its arguments: pixels, uint8 (n, 3, S, S); rows, int64 (n,) on the CPU; and whether to compute
    in float32, whatever the precision is.
    """
    import torch

    class TrainingStep(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = task.model

        def forward(
            self, pixels: torch.Tensor, rows: torch.Tensor, in_float32: bool
        ) -> torch.Tensor:
            if not len(rows):  # nothing could be read; other processes wait for gradients
                trained = [p for p in self.model.parameters() if p.requires_grad]
                return torch.stack([parameter.sum() * 0 for parameter in trained]).sum()
            inputs = task.pixels.normalise(pixels)
            if not in_float32:
                return task.loss(self.model, inputs, rows)
            with torch.autocast(pixels.device.type, enabled=False):
                return task.loss(self.model, inputs, rows)

    return TrainingStep()


def seeded(seed: int, step: int, rank: int) -> None:
    """Make what is random in a step, such as dropout, a function of seed, step and process."""
    import numpy as np
    import torch

    state: Any = np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]) % _SEEDS)
