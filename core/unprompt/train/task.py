"""What the loop asks of whoever fits a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from unprompt.errors import ConfigError
from unprompt.train.averaging import Parameters, copied
from unprompt.train.pixels import Inputs

if TYPE_CHECKING:
    import torch


class Task(ABC):
    """A model to fit, its loss on a batch, and its scores.

    ``rows`` say which samples a batch holds. They are in the processor's memory, as is everything
    that there is of each sample, such as its target; only a batch's part of it goes to the pixels'
    device. A task is pickled where there are several processes.

    Attributes:
        model: Everything that is fitted, heads included.
        pixels: How samples become the model's input: a `Pixels`, where they are images.
    """

    model: torch.nn.Module
    pixels: Inputs

    @abstractmethod
    def loss(
        self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """Of a batch of train samples.

        Args:
            model: `model`, maybe compiled or on another device.
            pixels: Normalised, float32 of shape (n, 3, size, size).
            rows: Which samples, int64 of shape (n,).

        Returns:
            A scalar, the mean over the batch.
        """

    @abstractmethod
    def score(
        self, model: torch.nn.Module, batches: Iterable[tuple[torch.Tensor, torch.Tensor]]
    ) -> Mapping[str, float]:
        """On held-out samples, in evaluation mode and without gradients.

        Args:
            model: `model`, or a copy of it with other parameters, such as their moving average.
            batches: Pixels and rows as in `loss`; rows are of the validation samples.

        Returns:
            Scores by name. The highest first one is the best; later ones are for reading.
        """

    @property
    def depths(self) -> int:
        """The depth of what stands on the last layer, such as a head."""
        raise ConfigError(
            "this model does not say its layers: `freeze` and `layer_decay` need them"
        )

    def depth(self, name: str) -> int:
        """The layer of a parameter of `model`: 0 is the embeddings, 1 the first block, ...

        For `freeze` and `layer_decay`.

        Args:
            name: As `named_parameters` has it.

        Raises:
            ConfigError: The model does not say its layers.
        """
        return self.depths

    def start(self) -> Parameters:
        """A copy of the parameters before the first step, by the names that `merge` leaves."""
        return copied(self.model)

    def merge(self) -> None:
        """Make what was put into the model for its training, such as adapters, part of it.

        Called when a fit ends; `score` has to work afterwards as before.
        """
        return

    def save_memory(self) -> None:
        """Switch on gradient checkpointing. Raises ConfigError where the model has none."""
        raise ConfigError("gradient_checkpointing: this model has none")
