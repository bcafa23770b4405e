"""Scores of a model on the validation samples of a job."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from unprompt.errors import DataError
from unprompt.train.averaging import Parameters, copied, interpolate
from unprompt.train.job import Job
from unprompt.train.loader import Loader
from unprompt.train.order import picks, share

if TYPE_CHECKING:
    import torch

    _Batch = tuple[torch.Tensor, torch.Tensor]

log = logging.getLogger(__name__)


class Validation:
    """Scores of a job's validation samples.

    Attributes:
        broken: Those that cannot be read, and are left out: id -> reason.
    """

    def __init__(self, job: Job) -> None:
        """Open nothing yet."""
        self._job = job
        self.broken: dict[str, str] = {}

    def scores(self, model: torch.nn.Module) -> dict[str, float]:
        """The task's scores, in evaluation mode; samples that cannot be read are left out.

        Raises:
            DataError: None can be read.
        """
        import torch

        job, was = self._job, model.training
        model.eval()
        try:
            with torch.no_grad(), closing(Loader(job.validation, 0, threads=job.threads)) as loader:
                scores = job.task.score(model, self._whole(self._batches(model, loader)))
        finally:
            model.train(was)
        return {name: float(value) for name, value in scores.items()}

    def _batches(self, model: torch.nn.Module, loader: Loader) -> Iterator[_Batch]:
        """Pixels and rows of the validation samples, in their order."""
        import numpy as np

        job, device = self._job, next(model.parameters()).device
        order = np.arange(len(job.validation))
        parts = share(order, 0, 1, job.options.batch_size, keep_last=True)
        for batch in loader.batches(picks(0, parts)):
            for broken in batch.broken:
                if broken.image_id not in self.broken:
                    log.warning("%s", broken.reason)
                self.broken[broken.image_id] = broken.reason
            if len(batch.rows):
                yield job.task.pixels.normalise(batch.pixels.to(device)), batch.rows

    def _whole(self, batches: Iterator[_Batch]) -> Iterator[_Batch]:
        """The same. Raises DataError where there is none: no task can score nothing."""
        first = next(batches, None)
        if first is None:
            reasons = [*self.broken.values()]
            raise DataError([f"none of {len(reasons)} validation images can be read", *reasons[:5]])
        yield first
        yield from batches


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

    Args:
        job: Its task's model has the fine-tuned parameters, and gets the best ones.
        start: The parameters that training started from.
        scores: Of the fine-tuned ones.
        validation: Of the job.
    """
    model = job.task.model
    tuned = copied(model)
    best, its = 1.0, scores
    for part in job.options.wise_ft:
        interpolate(model, start, tuned, part)
        found = validation.scores(model)
        if is_better(found, its):
            best, its = part, found
    interpolate(model, start, tuned, best)
    return best, its
