"""Low-rank adapters: only small matrices beside a tower's linear layers are trained.

Sources: LoRA, Hu et al. 2021, arXiv 2106.09685; DoRA, Liu et al. 2024, arXiv 2402.09353, by peft.
The 1st-place solution of the Kaggle competition trained early layers so; the 12th found adapters
worse than full fine-tuning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from unprompt._config.base import Model
from unprompt.errors import ConfigError, MissingFileError, first_line
from unprompt.train.averaging import Parameters

if TYPE_CHECKING:
    import torch

_NAME = "default"
"""What peft calls the only adapter of a model."""
_WRAPPED, _OWN = ".base_layer.", ".lora_"
"""In the names of parameters: peft's, of a layer that has an adapter, and of the adapter."""


class Adapter(Model):
    """LoRA or DoRA; merged into the tower's own parameters after training."""

    rank: int = Field(
        default=16,
        ge=1,
        description="Inner width of an adapter.",
        json_schema_extra={"unit": "features"},
    )
    alpha: float = Field(
        default=32.0,
        gt=0,
        allow_inf_nan=False,
        description="An adapter's output is multiplied by alpha / rank.",
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Share of an adapter's inputs that are dropped."
    )
    dora: bool = Field(
        default=False, description="DoRA: the length of each weight's columns is trained apart."
    )
    layers: Literal["attention", "all"] = Field(
        default="all",
        description="Which linear layers of the tower get one: those of its attention, or all.",
    )


class Adapted:
    """A tower with adapters in place; nothing else of it is trainable.

    Attributes:
        names: The linear layers that have one.
    """

    names: tuple[str, ...]

    def __init__(self, tower: torch.nn.Module, options: Adapter) -> None:
        """Put adapters into the tower; it predicts as before until they are trained.

        Args:
            tower: Is changed in place.
            options: What YAML says.

        Raises:
            MissingFileError: peft is not installed.
            ConfigError: The tower has no such linear layer, or none wider than the rank.
        """
        try:
            import peft as library
        except ImportError as error:
            raise MissingFileError(
                f"adapter: peft is not installed ({first_line(error)}): "
                'pip install "unprompt[adapters]"'
            ) from error
        self.names = linear_layers(tower, options.layers)
        if not self.names:
            kind = (
                "linear layer in its attention" if options.layers == "attention" else "linear layer"
            )
            raise ConfigError(f"adapter: a {type(tower).__name__} has no {kind}")
        layers: list[Any] = [tower.get_submodule(name) for name in self.names]
        full = max(min(layer.in_features, layer.out_features) for layer in layers)
        if options.rank > full:
            raise ConfigError(
                f"adapter.rank: {options.rank}, but no linear layer of the tower has a rank above "
                f"{full}"
            )
        peft: Any = library
        config = peft.LoraConfig(
            r=options.rank,
            lora_alpha=options.alpha,
            lora_dropout=options.dropout,
            use_dora=options.dora,
            target_modules=list(self.names),
        )
        self._tower = tower
        self._model: Any = peft.LoraModel(tower, {_NAME: config}, _NAME)

    @staticmethod
    def untrained(parameters: Parameters) -> dict[str, torch.Tensor]:
        """Parameters as they would be after `merge` where no adapter has learned anything.

        Args:
            parameters: By name, of a model that holds the tower; adapters are as they were built.
        """
        return {
            name.replace(_WRAPPED, "."): value
            for name, value in parameters.items()
            if _OWN not in name
        }

    def merge(self) -> torch.nn.Module:
        """The tower as it was built, its parameters changed by what the adapters learned.

        Raises:
            ValueError: An adapter holds numbers that are not finite.
        """
        merged: torch.nn.Module = self._model.merge_and_unload(safe_merge=True)
        assert merged is self._tower
        return merged


def linear_layers(tower: torch.nn.Module, which: str) -> tuple[str, ...]:
    """The names of a tower's linear layers.

    Args:
        tower: A vision model of transformers, timm or open_clip.
        which: ``all``, or ``attention``: those inside a module whose class says that it is one.
    """
    from torch import nn

    attention = [
        name
        for name, module in tower.named_modules()
        if name and "attention" in type(module).__name__.lower()
    ]
    return tuple(
        name
        for name, module in tower.named_modules()
        if isinstance(module, nn.Linear)
        and (which == "all" or any(name.startswith(f"{owner}.") for owner in attention))
    )
