"""The training loop: AdamW, a cosine schedule with warm-up, and a moving average of parameters."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unprompt._recipes.models import Preprocess
from unprompt._recipes.objective import Objective
from unprompt._recipes.recipe import RecipeConfig
from unprompt.contracts import Progress
from unprompt.errors import ConfigError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What a training gives.

    Attributes:
        model: The moving average of the parameters; without one, the last parameters.
        steps: Optimiser steps taken.
        scores: Of `model` on the held-out images, by name; see the objective.
    """

    model: torch.nn.Module
    steps: int
    scores: dict[str, float]


def train(
    objective: Objective, images: torch.Tensor, config: RecipeConfig, progress: Progress
) -> TrainingResult:
    """Train the objective's model on the recipe's device.

    ``images`` are uint8 of shape (N, 3, size, size); the last `config.validation` are held out.
    """
    import torch
    from timm.utils.model_ema import ModelEmaV3

    device, model = torch.device(config.runtime.device), objective.model
    per_epoch = steps_per_epoch(len(images), config)
    steps = config.epochs * per_epoch
    model.to(device).to(memory_format=torch.channels_last)
    optimizer, scheduler = _optimizer(model, config, steps)
    average = ModelEmaV3(model, decay=config.ema, use_warmup=True)  # a decay of 0: a copy
    generator = torch.Generator().manual_seed(config.seed)
    batches = _batches(len(images) - config.validation, config, generator)
    half = config.runtime.precision == "bfloat16"
    precision = torch.autocast(device.type, torch.bfloat16) if half else nullcontext()
    scores: dict[str, float] = {}
    for step, rows in enumerate(progress(batches, what="train", total=steps)):
        scheduler.step_update(step)
        pixels = _normalised(images[rows].to(device), objective.preprocess)
        pixels = _shifted(pixels, config.shift, generator)
        with precision:
            loss = objective.loss(pixels, rows)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update(model, step=step)
        if (step + 1) % per_epoch == 0:
            scores = _validate(objective, average.module, images, config)
            log.info("step %d of %d: loss %.4f, %s", step + 1, steps, loss.item(), scores)
    return TrainingResult(average.module, steps, scores)


def steps_per_epoch(count: int, config: RecipeConfig) -> int:
    """Whole batches of ``count`` images, less the held-out ones; ConfigError: there is none."""
    steps = max(0, count - config.validation) // config.batch_size
    if not steps:
        raise ConfigError(
            f"batch_size: {count} images, of which {config.validation} are held out for "
            f"validation, leave no batch of {config.batch_size}"
        )
    return steps


def _optimizer(
    model: torch.nn.Module, config: RecipeConfig, steps: int
) -> tuple[torch.optim.Optimizer, Any]:
    """AdamW and its schedule: up to the learning rate, and down to a hundredth of it."""
    from timm.optim import create_optimizer_v2  # type: ignore[attr-defined]  # timm
    from timm.scheduler.cosine_lr import CosineLRScheduler

    # It leaves weight decay to matrices and kernels: on biases, norms and scales it only hurts.
    optimizer: torch.optim.Optimizer = create_optimizer_v2(
        model, opt="adamw", lr=config.learning_rate, weight_decay=config.weight_decay
    )
    scheduler = CosineLRScheduler(
        optimizer,
        t_initial=steps,
        lr_min=config.learning_rate * 1e-2,
        warmup_t=round(steps * config.warmup),
        warmup_lr_init=config.learning_rate * 1e-2,
        t_in_epochs=False,
    )
    return optimizer, scheduler


def _validate(
    objective: Objective, model: torch.nn.Module, images: torch.Tensor, config: RecipeConfig
) -> dict[str, float]:
    """The objective's scores on the held-out images."""
    import torch

    rows = torch.arange(len(images) - config.validation, len(images))
    pixels = _normalised(images[rows].to(config.runtime.device), objective.preprocess)
    model.eval()
    with torch.inference_mode():
        return objective.score(model, pixels, rows)


def _normalised(images: torch.Tensor, preprocess: Preprocess) -> torch.Tensor:
    """uint8 images as pixels: float32 of the same shape on the same device.

    Channels come last in memory: the layout in which CPU convolutions are fast.
    """
    import torch

    mean, std = (
        torch.tensor(values, device=images.device)[:, None, None]
        for values in (preprocess.mean, preprocess.std)
    )
    scaled: torch.Tensor = (images.float() / 255 - mean) / std
    return scaled.contiguous(memory_format=torch.channels_last)


def _batches(
    count: int, config: RecipeConfig, generator: torch.Generator
) -> Iterator[torch.Tensor]:
    """Rows of each step: every epoch in its own order, the last short batch left out."""
    import torch

    full = count // config.batch_size * config.batch_size
    for _ in range(config.epochs):
        order = torch.randperm(count, generator=generator)
        yield from torch.split(order[:full], config.batch_size)


def _shifted(pixels: torch.Tensor, most: int, generator: torch.Generator) -> torch.Tensor:
    """The batch moved by up to ``most`` pixels; no flips: prompts say left and right."""
    import torch

    if not most:
        return pixels
    down, right = torch.randint(0, 2 * most + 1, (2,), generator=generator).tolist()
    padded = torch.nn.functional.pad(pixels, (most,) * 4, mode="replicate")
    height, width = pixels.shape[2:]
    return padded[:, :, down : down + height, right : right + width].contiguous()
