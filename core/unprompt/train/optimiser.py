"""AdamW with a schedule, layer-wise learning rates, frozen layers and decay to the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from unprompt.errors import ConfigError
from unprompt.train.options import FitOptions
from unprompt.train.task import Task

if TYPE_CHECKING:
    import torch

FLOOR = 1e-2
"""Where warm-up begins and a schedule ends, as a share of the learning rate."""


def freeze(task: Task, layers: int | None) -> None:
    """Leave the embeddings and the first ``layers`` blocks as they are; None: nothing.

    Raises:
        ConfigError: The model has not so many, or does not say its layers.
    """
    if layers is None:
        return
    check_freeze(layers, task.depths)
    for name, parameter in task.model.named_parameters():
        if task.depth(name) <= layers:
            parameter.requires_grad_(False)


def check_freeze(layers: int | None, depths: int) -> None:
    """Check `freeze`.

    Args:
        layers: The option.
        depths: As `Task.depths`.

    Raises:
        ConfigError: The model has fewer layers.
    """
    if layers is not None and layers >= depths:
        raise ConfigError(
            f"freeze: {layers}, but the model has {depths - 1} layers above its embeddings"
        )


def make_optimizer(task: Task, options: FitOptions) -> torch.optim.Optimizer:
    """AdamW; weight decay is left to matrices and kernels, on biases and scales it only hurts.

    Layer-wise rates: Bao et al. 2021 (BEiT), arXiv 2106.08254, as timm has them.
    """
    import timm.optim

    timm_optim: Any = timm.optim  # typed, but its types do not export the two
    groups: Any = task.model
    if options.layer_decay < 1:
        model: Any = _Layered(task)  # of a module, timm asks no more
        groups = timm_optim.param_groups_layer_decay(
            model, weight_decay=options.weight_decay, layer_decay=options.layer_decay
        )
    optimizer: torch.optim.Optimizer = timm_optim.create_optimizer_v2(
        groups, opt="adamw", lr=options.learning_rate, weight_decay=options.weight_decay, fused=True
    )
    return optimizer


class _Layered:
    """A model whose parameters have the depths of a task, in the words of timm."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self.named_parameters = task.model.named_parameters

    def group_matcher(self, coarse: bool = False) -> Any:
        """Name of a parameter -> its depth."""
        return self._task.depth


def make_scheduler(optimizer: torch.optim.Optimizer, options: FitOptions, steps: int) -> Any:
    """Timm's scheduler for ``steps`` optimiser steps: learning rates are a function of the step."""
    from timm.scheduler.cosine_lr import CosineLRScheduler
    from timm.scheduler.poly_lr import PolyLRScheduler

    rate = options.learning_rate
    floor = rate if options.schedule == "constant" else rate * FLOOR
    common: Mapping[str, Any] = {
        "t_initial": max(2, steps),  # of a single step timm warns that it has no schedule
        "lr_min": floor,
        "warmup_t": round(steps * options.warmup),
        "warmup_lr_init": rate * FLOOR,
        "t_in_epochs": False,
    }
    if options.schedule == "linear":
        return PolyLRScheduler(optimizer, power=1.0, **common)
    return CosineLRScheduler(optimizer, **common)


class DecayToStart:
    """Weight decay towards the parameters that training starts from.

    Decoupled as AdamW's: after a step p <- p - lr * decay * (p - start). Source: L2-SP, Li et al.
    2018, arXiv 1802.01483; the 11th-place solution used it.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, decay: float) -> None:
        """Keep a copy of what the optimiser trains."""
        self._decay, self._optimizer = decay, optimizer
        self._starts = [
            [parameter.detach().clone() for parameter in group["params"]]
            for group in (optimizer.param_groups if decay else ())
        ]

    def step(self) -> None:
        """Move the parameters, after the optimiser's own step."""
        import torch

        if not self._starts:
            return
        # The optimiser is asked anew: its groups are others once it has read a checkpoint.
        groups = zip(self._optimizer.param_groups, self._starts, strict=True)
        with torch.no_grad():
            for group, starts in groups:
                for parameter, start in zip(group["params"], starts, strict=True):
                    parameter.lerp_(start, group["lr"] * self._decay)
