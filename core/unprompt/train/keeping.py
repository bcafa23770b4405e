"""Opening all images of a training ahead, to be kept in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from unprompt.contracts.runtime import Progress, silent
from unprompt.train.broken import Broken
from unprompt.train.loader import Loader
from unprompt.train.samples import Pick, Samples, SampleSet

AT_ONCE = 64
"""Images of a batch that is opened ahead."""


def open_all(
    samples: SampleSet, workers: int, threads: int, progress: Progress = silent
) -> list[Broken]:
    """Open every image now, where they are kept; those that are broken are returned.

    Args:
        samples: Of a training.
        workers: Processes that open images; 0: threads of this process do.
        threads: How many, then.
        progress: Shows how many are opened.

    Raises:
        DataError: Images or preprocess cannot be sent to other processes, or one was killed.
    """
    if not isinstance(samples, Samples) or not samples.keep:
        return []
    broken: list[Broken] = []

    def opened() -> Iterator[int]:
        with closing(Loader(samples.passing(), workers, threads=threads)) as loader:
            for batch in loader.batches(_in_order(len(samples))):
                samples.fill(batch)
                broken.extend(batch.broken)
                yield from range(len(batch.rows) + len(batch.broken))

    for _ in progress(opened(), what="open images", total=len(samples)):
        pass
    return broken


def _in_order(count: int) -> Iterator[list[Pick]]:
    for first in range(0, count, AT_ONCE):
        yield [(0, row) for row in range(first, min(first + AT_ONCE, count))]
