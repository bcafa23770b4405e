"""Scores of a trained tower on images that nothing was chosen by."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from unprompt._recipes.tower_task import TowerTask
from unprompt._scoring.estimate import Estimate
from unprompt._scoring.intervals import Intervals
from unprompt.contracts import Runtime
from unprompt.train.loader import Loader
from unprompt.train.order import picks, share
from unprompt.train.samples import Samples

if TYPE_CHECKING:
    import torch


def test_scores(
    task: TowerTask, samples: Samples, runtime: Runtime, first: int
) -> dict[str, Estimate]:
    """Means over the samples, with 95 % intervals; every image is a group of its own.

    Args:
        task: Its model is scored, in evaluation mode.
        samples: The test images.
        runtime: Device, batch size and threads.
        first: Number of the first one among the N images of the task.
    """
    import torch

    task.model.eval()
    pixels: list[torch.Tensor] = []
    rows: list[torch.Tensor] = []
    parts = share(np.arange(len(samples)), 0, 1, runtime.batch_size, keep_last=True)
    with torch.no_grad(), closing(Loader(samples, 0, threads=runtime.workers)) as loader:
        for batch in loader.batches(picks(0, parts)):
            pixels.append(task.pixels.normalise(batch.pixels.to(runtime.device)))
            rows.append(batch.rows)
        scores = task.scores(
            task.model.to(runtime.device), torch.cat(pixels), torch.cat(rows) + first
        )
    intervals = Intervals([str(row) for row in torch.cat(rows).tolist()])
    return {name: intervals.mean(values.double().cpu().numpy()) for name, values in scores.items()}
