"""Batches of samples ahead of the training that takes them, from threads or from processes."""

from __future__ import annotations

import pickle
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unprompt._compute.cores import one_core_each
from unprompt.errors import DataError, first_line
from unprompt.train.broken import Broken
from unprompt.train.samples import Opener, Pick, SampleBatch, SampleSet, gathered

if TYPE_CHECKING:
    import torch

AHEAD = 2
"""Batches in preparation, for each worker process or for all threads together."""
THREADS = 4
"""That open images where there are no worker processes."""

_Asked = tuple[int, int, str]
"""An epoch, the number of a sample, and its id: worker processes hold no list of ids."""


class Loader:
    """Gives batches of a `SampleSet` in the order that is asked for.

    Worker processes start with the first batch and stay until `close`: a loader serves as many
    epochs as are asked of it. What a batch holds does not depend on workers or threads.
    """

    def __init__(
        self, samples: SampleSet, workers: int, *, threads: int = THREADS, pin: bool = False
    ) -> None:
        """Start nothing yet.

        Args:
            samples: What to open; those that are kept in memory are opened in this process.
            workers: Processes that open images; 0: threads of this process do.
            threads: How many, then.
            pin: Whether batches are copied to page-locked memory, for a GPU.

        Raises:
            DataError: Images or preprocess cannot be sent to other processes.
        """
        self._samples, self._threads, self._pin = samples, max(1, threads), pin
        self._asked = _Asking()
        remote = samples.remote
        self._processes = None if remote is None or workers <= 0 else self._start(remote, workers)

    def batches(self, picks: Iterable[Sequence[Pick]]) -> Iterator[SampleBatch]:
        """The batches that ``picks`` ask for, in their order; see `unprompt.train.order.picks`.

        One after another: a second call ends what an earlier one has not given yet.

        Raises:
            DataError: A worker process was killed.
        """
        if self._processes is None:
            return self._in_threads(picks)
        return self._in_processes(self._processes, picks)

    def close(self) -> None:
        """End the worker processes."""
        self._processes = None  # whose deletion ends them

    def _start(self, opener: Opener, workers: int) -> Any:
        """A `DataLoader` whose batches are those of `_Asking`."""
        import torch
        from torch.utils.data import DataLoader

        check_sendable(opener)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This DataLoader will create")  # it was asked for
            return DataLoader(
                _Remote(opener),  # type: ignore[arg-type]  # torch asks for no more than an item
                batch_sampler=self._asked,
                num_workers=workers,
                multiprocessing_context="spawn",  # torch and faiss survive no fork
                persistent_workers=True,
                prefetch_factor=AHEAD,
                collate_fn=_Gather(self._samples.shape),
                pin_memory=self._pin,
                generator=torch.Generator(),  # else it draws from the one that dropout draws from
            )

    def _in_processes(
        self, processes: Iterable[SampleBatch], picks: Iterable[Sequence[Pick]]
    ) -> Iterator[SampleBatch]:
        ids = self._samples.images.ids
        self._asked.batches = ([(e, row, ids[row]) for e, row in batch] for batch in picks)
        try:
            yield from processes
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise DataError(
                f"a process that opens images ended: {first_line(error)}; is there too "
                "little memory, or shared memory (/dev/shm), for so many `workers`?"
            ) from error

    def _in_threads(self, picks: Iterable[Sequence[Pick]]) -> Iterator[SampleBatch]:
        upcoming = iter(picks)
        waiting: deque[Future[SampleBatch]] = deque()
        # In this order: at the end, what joins images must not wait for those not begun.
        with (
            one_core_each(1, "join-batches") as joining,
            one_core_each(self._threads, "open-images") as pool,
        ):

            def refill() -> None:
                while len(waiting) <= AHEAD and (batch := next(upcoming, None)) is not None:
                    waiting.append(self._begun(batch, pool, joining))

            refill()
            while waiting:
                made = waiting.popleft().result()
                refill()
                yield made

    def _begun(
        self, batch: Sequence[Pick], pool: ThreadPoolExecutor, joining: ThreadPoolExecutor
    ) -> Future[SampleBatch]:
        """A batch in preparation: as one piece of work, where nothing has to be opened for it."""
        if self._samples.holds(batch):
            return pool.submit(self._samples.batch, batch, pin=self._pin)
        jobs = [pool.submit(self._samples.__getitem__, pick) for pick in batch]
        rows, shape = [row for _, row in batch], self._samples.shape

        def joined() -> SampleBatch:
            return gathered(rows, [job.result() for job in jobs], shape, pin=self._pin)

        return joining.submit(joined)


def loader(
    samples: SampleSet, batches: Iterable[Sequence[Pick]], workers: int
) -> Iterator[SampleBatch]:
    """Batches of samples once; a `Loader` keeps its processes for the next epoch."""
    made = Loader(samples, workers)
    try:
        yield from made.batches(batches)
    finally:
        made.close()


class _Asking:
    """The batch sampler of a `DataLoader` that is asked for other batches each time."""

    def __init__(self) -> None:
        self.batches: Iterable[list[_Asked]] = ()

    def __iter__(self) -> Iterator[list[_Asked]]:
        return iter(self.batches)


@dataclass(frozen=True, slots=True)
class _Remote:
    """What opens samples in a worker process."""

    opener: Opener

    def __getitem__(self, asked: _Asked) -> tuple[int, torch.Tensor | Broken]:
        epoch, row, image_id = asked
        opened = self.opener.open(image_id)
        if isinstance(opened, Broken):
            return row, opened
        return row, self.opener.change(opened, epoch, row)


@dataclass(frozen=True, slots=True)
class _Gather:
    """Puts the samples of a batch together, in the worker process."""

    shape: tuple[int, ...]

    def __call__(self, samples: Sequence[tuple[int, torch.Tensor | Broken]]) -> SampleBatch:
        return gathered([row for row, _ in samples], [sample for _, sample in samples], self.shape)


def check_sendable(opener: Opener) -> None:
    """Raise DataError where images or preprocess cannot be sent to other processes."""
    for what, part in (("images", opener.source), ("preprocess", opener.preprocess)):
        try:
            pickle.dumps(part)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise DataError(
                f"workers: the {what} of this training cannot be sent to other processes "
                f"({first_line(error)}); set `workers: 0`"
            ) from error
