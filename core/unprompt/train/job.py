"""One fit, whole: what goes into it, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt.train.checkpoints import FOLDER
from unprompt.train.options import FitOptions
from unprompt.train.order import Rows, epoch_order, share
from unprompt.train.samples import SampleSet
from unprompt.train.task import Task
from unprompt.types import Json

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Job:
    """One fit.

    Attributes:
        name: Shown in the progress display.
        task: The model, its loss and its scores.
        train: N samples to fit to; the task's ``rows`` are their numbers.
        validation: Samples that scores are of; may be empty, then the last parameters are taken.
        options: How it is fitted.
        folder: Where checkpoints and metrics are written; what an interrupted attempt left there
            is gone on with.
        identity: All that the result depends on beside `options`, flat, such as hashes of data and
            towers: a checkpoint of another one is refused.
        prompts: For each train sample the number of its prompt; for `one_per_prompt`.
        device: A torch device.
        precision: ``float32`` or ``bfloat16``, as in `unprompt.Runtime`.
        threads: That open images in this process.
    """

    name: str
    task: Task
    train: SampleSet
    validation: SampleSet
    options: FitOptions
    folder: Path
    identity: Mapping[str, Json] = field(default_factory=dict)
    prompts: npt.NDArray | Sequence[int] | None = None  # type: ignore[type-arg]  # any integers
    device: str = "cpu"
    precision: str = "float32"
    threads: int = 2

    def keyed(self) -> dict[str, Json]:
        """All that the result depends on, flat, for checkpoints; see `FREE`."""
        options = self.options.model_dump(mode="json")
        own = {f"training.{name}": value for name, value in options.items()}
        return {**self.identity, **own, "precision": self.precision, "samples": len(self.train)}

    def batches(self, epoch: int, rank: int, world: int) -> list[Rows]:
        """One process's part of an epoch's batches of train samples.

        Args:
            epoch: Counted from 0.
            rank: Number of the process, from 0.
            world: Number of processes.

        Raises:
            ConfigError: See `unprompt.train.order.share`.
        """
        options = self.options
        order = epoch_order(
            len(self.train),
            options.seed,
            epoch,
            blocks=self.train.images.blocks() if options.shuffle else None,
            buffer=options.shuffle,
            prompts=self.prompts if options.one_per_prompt else None,
        )
        return share(order, rank, world, options.batch_size)

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints; whoever keeps the result removes it."""
        return self.folder / FOLDER


@dataclass(frozen=True, slots=True)
class Fitted:
    """What came of a fit; the parameters are in the task's model.

    Attributes:
        steps: Optimiser steps.
        scores: On the validation samples; empty without any.
        best_step: Where the parameters are from.
        interpolation: Share of the fine-tuned parameters in the result; see `wise_ft`.
        seconds: Time, over all attempts.
        images_per_second: Of the steps of the last attempt, images seen in a second.
        attempts: How often it was started.
        broken: Samples that could not be read: id -> reason.
    """

    steps: int
    scores: Mapping[str, float]
    best_step: int
    interpolation: float
    seconds: float
    images_per_second: float
    attempts: int
    broken: Mapping[str, str]
