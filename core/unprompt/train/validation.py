"""Batches of held-out samples, and scores of a model on the validation samples of a job."""

from __future__ import annotations

import logging
import math
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unprompt.errors import DataError
from unprompt.train.averaging import Parameters, copied, interpolate
from unprompt.train.broken import Broken
from unprompt.train.job import Job
from unprompt.train.loader import Loader
from unprompt.train.order import picks, share
from unprompt.train.pixels import Inputs
from unprompt.train.samples import SampleSet

if TYPE_CHECKING:
    import torch

    _Batch = tuple[torch.Tensor, torch.Tensor]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Samples that scores are of.

    Attributes:
        what: What they are called, such as ``validation``.
        samples: Which.
        inputs: How they become a model's input.
        batch_size: Samples of a batch.
        threads: That open images.
        broken: Those that cannot be read, and are left out, as far as they were tried:
            id -> reason.
    """

    what: str
    samples: SampleSet
    inputs: Inputs
    batch_size: int
    threads: int
    broken: dict[str, str] = field(default_factory=dict)

    def batches(self, device: torch.device | str) -> Generator[_Batch]:
        """A model's inputs on a device, and their rows, in the order of the samples.

        A sample that cannot be read is left out, and named in the log the first time.

        Raises:
            DataError: None can be read: nobody can score nothing.
        """
        import numpy as np
        import torch

        order, count = np.arange(len(self.samples)), 0
        parts = share(order, 0, 1, self.batch_size, keep_last=True)
        pin = torch.device(device).type == "cuda"
        with closing(Loader(self.samples, 0, threads=self.threads, pin=pin)) as loader:
            for batch in loader.batches(picks(0, parts)):
                self._name(batch.broken)
                count += len(batch.rows)
                if len(batch.rows):
                    yield (
                        self.inputs.normalise(batch.pixels.to(device, non_blocking=True)),
                        batch.rows,
                    )
        if not count:
            reasons = [*self.broken.values()]
            raise DataError([f"none of {len(order)} {self.what} images can be read", *reasons[:5]])

    def _name(self, broken: Iterable[Broken]) -> None:
        """Note samples that cannot be read."""
        for item in broken:
            if item.image_id not in self.broken:
                log.warning("%s", item.reason)
            self.broken[item.image_id] = item.reason


class Validation:
    """Scores of a job's validation samples."""

    def __init__(self, job: Job) -> None:
        """Open nothing yet."""
        self._task = job.task
        self._held = HeldOut(
            "validation", job.validation, job.task.pixels, job.options.batch_size, job.threads
        )

    @property
    def broken(self) -> Mapping[str, str]:
        """Samples that cannot be read; see `HeldOut`."""
        return self._held.broken

    def scores(self, model: torch.nn.Module) -> dict[str, float]:
        """The task's scores, in evaluation mode; samples that cannot be read are left out.

        Raises:
            DataError: None can be read.
        """
        import torch

        device, was = next(model.parameters()).device, model.training
        model.eval()
        try:
            with torch.no_grad(), closing(self._held.batches(device)) as batches:
                scores = self._task.score(model, batches)
        finally:
            model.train(was)
        return {name: float(value) for name, value in scores.items()}


def is_better(scores: Mapping[str, float], best: Mapping[str, float]) -> bool:
    """Whether the score that decides, the first one, is higher; any number is, than NaN or none."""
    if not best:
        return True
    score, before = next(iter(scores.values())), next(iter(best.values()))
    return score > before or (math.isnan(before) and not math.isnan(score))


def in_words(scores: Mapping[str, float]) -> str:
    """Scores for people."""
    return ", ".join(f"{name} {value:.4f}" for name, value in scores.items())


def best_interpolation(
    job: Job, start: Parameters, scores: Mapping[str, float], validation: Validation
) -> tuple[float, Mapping[str, float]]:
    """Try `wise_ft`: the best share of the fine-tuned parameters, and its scores.

    Without validation images nothing can be chosen: one share is taken as it is, of several none.

    Args:
        job: Its task's model has the fine-tuned parameters, and gets the best ones.
        start: The parameters that training started from.
        scores: Of the fine-tuned ones.
        validation: Of the job.
    """
    model = job.task.model
    tuned = copied(model)
    best, its = 1.0, scores
    shares = job.options.wise_ft
    if not len(job.validation):
        best = shares[0] if len(shares) == 1 else best
        shares = ()
    for part in shares:
        interpolate(model, start, tuned, part)
        found = validation.scores(model)
        if is_better(found, its):
            best, its = part, found
    interpolate(model, start, tuned, best)
    return best, its
