"""Averages of parameters: over the steps of a fit, and between its start and its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Parameters = Mapping[str, "torch.Tensor"]


class Average:
    """The moving average of a model's parameters; without a decay, the parameters themselves.

    timm's, whose decay rises with the first steps.
    """

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        """Copy the model, where there is a decay."""
        from timm.utils.model_ema import ModelEmaV3

        self._ema: Any = ModelEmaV3(model, decay=decay, use_warmup=True) if decay else None

    @property
    def kept(self) -> torch.nn.Module | None:
        """The averaged model, for checkpoints; None: there is none."""
        return None if self._ema is None else self._ema.module

    def update(self, model: torch.nn.Module, step: int) -> None:
        """Take in the parameters after a step, counted from 0."""
        if self._ema is not None:
            self._ema.update(model, step=step)

    def module(self, model: torch.nn.Module) -> torch.nn.Module:
        """The averaged model, or ``model`` itself."""
        return model if self._ema is None else self._ema.module

    def give(self, model: torch.nn.Module) -> None:
        """Copy the average into a model."""
        if self._ema is not None:
            model.load_state_dict(self._ema.module.state_dict())


def copied(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of a model's parameters by name."""
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def interpolate(model: torch.nn.Module, start: Parameters, end: Parameters, share: float) -> None:
    """Give a model the parameters ``(1 - share) * start + share * end``.

    Source: WiSE-FT, Wortsman et al. 2022, arXiv 2109.01903.
    """
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.lerp(start[name].to(parameter), end[name], share))
