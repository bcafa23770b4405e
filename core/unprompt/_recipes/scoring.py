"""Scores of a trained tower on images that nothing was chosen by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unprompt._recipes.tower_task import TowerTask
from unprompt._scoring.estimate import Estimate
from unprompt._scoring.intervals import Intervals
from unprompt.contracts import Runtime
from unprompt.train.samples import SampleSet
from unprompt.train.validation import HeldOut


@dataclass(frozen=True, slots=True)
class Tested:
    """A tower's scores on test images.

    Attributes:
        scores: Means over the images that can be read, with 95 % intervals; every image is a group
            of its own.
        broken: The other images: id -> reason.
    """

    scores: Mapping[str, Estimate]
    broken: Mapping[str, str]


def score_on_test(task: TowerTask, samples: SampleSet, runtime: Runtime, first: int) -> Tested:
    """Score a task's model, in evaluation mode.

    Args:
        task: Whose model.
        samples: The test images.
        runtime: Device, batch size and threads.
        first: Number of the first one among the N images of the task.

    Raises:
        DataError: None can be read.
    """
    import torch

    held = HeldOut("test", samples, task.pixels, runtime.batch_size, runtime.workers)
    model = task.model.to(runtime.device).eval()
    with torch.no_grad():
        batches = list(held.batches(runtime.device))
        rows = torch.cat([part for _, part in batches])
        scores = task.scores(model, torch.cat([part for part, _ in batches]), rows + first)
    intervals = Intervals([str(row) for row in rows.tolist()])
    means = {name: intervals.mean(value.double().cpu().numpy()) for name, value in scores.items()}
    return Tested(means, held.broken)
