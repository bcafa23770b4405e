"""The training loop: AdamW, a cosine schedule with warm-up, and a moving average of the weights."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unprompt.contracts import Progress
from unprompt.train.objective import Objective
from unprompt.train.recipe import RecipeConfig

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training gives.

    Attributes:
        model: The weights to keep: the moving average where there is one.
        steps: Optimiser steps taken.
        scores: The objective's score of `model` on the held-out pictures.
    """

    model: torch.nn.Module
    steps: int
    scores: dict[str, float]


def train(
    objective: Objective, pictures: torch.Tensor, config: RecipeConfig, progress: Progress
) -> Trained:
    """Train the objective's model.

    Args:
        objective: Model and loss.
        pictures: uint8 of shape (N, 3, H, W); the last `config.validation` are held out.
        config: The recipe.
        progress: Shows epochs and steps.
    """
    import torch
    from timm.scheduler.cosine_lr import CosineLRScheduler
    from timm.utils.model_ema import ModelEmaV3

    objective.model.to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(config.seed)
    count = len(pictures) - config.validation
    steps = config.epochs * (count // config.batch_size)
    optimizer = torch.optim.AdamW(
        _parameter_groups(objective.model, config.weight_decay), lr=config.learning_rate
    )
    schedule = CosineLRScheduler(
        optimizer,
        t_initial=steps,
        lr_min=config.learning_rate * 1e-2,
        warmup_t=round(steps * config.warmup),
        warmup_lr_init=config.learning_rate * 1e-2,
        t_in_epochs=False,
    )
    average = ModelEmaV3(objective.model, decay=config.ema, use_warmup=True)
    normalise = Normalise(objective, config)
    batches = _batches(count, config, generator)
    for step, rows in enumerate(progress(batches, what="train", total=steps)):
        schedule.step_update(step)
        pixels = _shifted(normalise(pictures[rows]), config.shift, generator)
        with normalise.autocast():
            loss = objective.loss(pixels, rows)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(objective.model.parameters(), 1.0)
        optimizer.step()
        average.update(objective.model, step=step)
        if (step + 1) % (steps // config.epochs) == 0:
            scores = _held_out(objective, average.module, pictures, count, normalise)
            log.info("step %d of %d: loss %.4f, %s", step + 1, steps, loss.item(), scores)
    model = average.module if config.ema else copy.deepcopy(objective.model)
    return Trained(model, steps, _held_out(objective, model, pictures, count, normalise))


def _held_out(
    objective: Objective,
    model: torch.nn.Module,
    pictures: torch.Tensor,
    count: int,
    normalise: Normalise,
) -> dict[str, float]:
    """The objective's score on the pictures from ``count`` on."""
    import torch

    rows = torch.arange(count, len(pictures))
    model.eval()
    with torch.inference_mode():
        return objective.score(model, normalise(pictures[rows]), rows)


class Normalise:
    """uint8 pictures -> what the tower wants, on its device and in its precision."""

    def __init__(self, objective: Objective, config: RecipeConfig) -> None:
        """Take mean, std, device and precision."""
        import torch

        self._mean = torch.tensor(objective.mean)[:, None, None]
        self._std = torch.tensor(objective.std)[:, None, None]
        self._half = config.runtime.precision == "bfloat16"

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """float32 of the same shape, channels last: the layout in which CPU convolutions are fast."""
        import torch

        scaled: torch.Tensor = (pictures.float() / 255 - self._mean) / self._std
        return scaled.contiguous(memory_format=torch.channels_last)

    def autocast(self) -> torch.autocast:
        """The recipe's precision for the forward pass."""
        import torch

        return torch.autocast("cpu", torch.bfloat16, enabled=self._half)


def _parameter_groups(model: torch.nn.Module, decay: float) -> list[dict[str, object]]:
    """Weight decay on matrices and kernels only: on biases, norms and scales it only hurts."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _batches(
    count: int, config: RecipeConfig, generator: torch.Generator
) -> Iterator[torch.Tensor]:
    """Rows of each step: every epoch in its own order, the last short batch left out."""
    import torch

    for _ in range(config.epochs):
        order = torch.randperm(count, generator=generator)
        full = count // config.batch_size * config.batch_size
        yield from torch.split(order[:full], config.batch_size)


def _shifted(pixels: torch.Tensor, most: int, generator: torch.Generator) -> torch.Tensor:
    """The whole batch moved by up to ``most`` pixels; no flips, because prompts say left and right."""
    import torch

    if not most:
        return pixels
    down, right = torch.randint(0, 2 * most + 1, (2,), generator=generator).tolist()
    padded = torch.nn.functional.pad(pixels, (most,) * 4, mode="replicate")
    height, width = pixels.shape[2:]
    return padded[:, :, down : down + height, right : right + width].contiguous()
