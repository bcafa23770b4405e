"""Scores of a model on the validation samples of a job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING

from unprompt.train.averaging import Parameters, copied, interpolate
from unprompt.train.job import Job
from unprompt.train.loader import Loader
from unprompt.train.order import picks, share

if TYPE_CHECKING:
    import torch


def validate(job: Job, model: torch.nn.Module) -> dict[str, float]:
    """The task's scores, in evaluation mode; samples that cannot be read are left out."""
    import torch

    was = model.training
    model.eval()
    try:
        with torch.no_grad(), closing(Loader(job.validation, 0, threads=job.threads)) as loader:
            scores = job.task.score(model, _batches(job, model, loader))
    finally:
        model.train(was)
    return {name: float(value) for name, value in scores.items()}


def first(scores: Mapping[str, float]) -> float:
    """The score that decides which parameters are best."""
    return next(iter(scores.values()))


def best_interpolation(
    job: Job, start: Parameters, scores: Mapping[str, float]
) -> tuple[float, Mapping[str, float]]:
    """Try `wise_ft`: the best share of the fine-tuned parameters, and its scores.

    Args:
        job: Its task's model has the fine-tuned parameters, and gets the best ones.
        start: The parameters that training started from.
        scores: Of the fine-tuned ones.
    """
    model = job.task.model
    tuned = copied(model)
    tried: dict[float, Mapping[str, float]] = {1.0: scores}
    for part in job.options.wise_ft:
        interpolate(model, start, tuned, part)
        tried[part] = validate(job, model)
    best = max(tried, key=lambda part: first(tried[part]))
    interpolate(model, start, tuned, best)
    return best, tried[best]


def _batches(
    job: Job, model: torch.nn.Module, loader: Loader
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Pixels and rows of the validation samples, in their order."""
    import numpy as np

    device = next(model.parameters()).device
    parts = share(np.arange(len(job.validation)), 0, 1, job.options.batch_size, keep_last=True)
    for batch in loader.batches(picks(0, parts)):
        if len(batch.rows):
            yield job.task.pixels.normalise(batch.pixels.to(device)), batch.rows
