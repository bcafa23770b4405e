"""Opening and preprocessing images in threads, ahead of the tower that consumes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from unprompt._compute.workers import ahead, cores_for
from unprompt._data.shape import alone
from unprompt.contracts import Images, Runtime

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

R = TypeVar("R")

AHEAD = 2
"""Batches in preparation while the tower works on one; more only costs memory."""


def pixel_batches(
    images: Images, preprocess: Callable[[Image], torch.Tensor], runtime: Runtime, *, what: str
) -> Generator[tuple[tuple[str, ...], torch.Tensor]]:
    """Images as stacked pixels, in the order of ``images.ids``.

    Close it (`contextlib.closing`) where an error may leave it unfinished: images that wait to be
    opened are then given up, instead of keeping the process alive.

    Args:
        images: N images.
        preprocess: RGB image -> float32 of shape (3, H, W), the same for every image.
        runtime: Batch size, threads and progress.
        what: Names the work in the progress display.

    Yields:
        The ids of a batch and its pixels (n, 3, H, W); n is the batch size, or less at the end.

    Raises:
        DataError: An image cannot be read; raised when its batch is due.
    """
    import torch

    size = runtime.batch_size
    parts = [images.ids[i : i + size] for i in range(0, len(images), size)]
    with ThreadPoolExecutor(runtime.workers, thread_name_prefix="open-images") as pool:
        waiting: deque[tuple[tuple[str, ...], list[Future[torch.Tensor]]]] = deque()
        upcoming = iter(parts)

        def refill() -> None:
            while len(waiting) <= AHEAD and (part := next(upcoming, None)) is not None:
                jobs = [pool.submit(_opened, images, name, preprocess) for name in part]
                waiting.append((part, jobs))

        try:
            for _ in runtime.progress(range(len(parts)), what=what, total=len(parts)):
                refill()
                part, jobs = waiting.popleft()
                yield part, torch.stack([job.result() for job in jobs])
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def forward_batches(
    images: Images,
    preprocess: Callable[[Image], torch.Tensor],
    forward: Callable[[torch.Tensor], R],
    runtime: Runtime,
    parameters: int,
    *,
    what: str,
) -> Generator[tuple[tuple[str, ...], R]]:
    """What a model makes of images, batch by batch, in the order of ``images.ids``.

    On a processor the next batch is computed while one is used, and several of a small model, one
    core each. Close it (`contextlib.closing`) where an error may leave it unfinished.

    Args:
        images: N images.
        preprocess: As `pixel_batches` wants it.
        forward: Pixels (n, 3, H, W) -> anything; several threads may call it.
        runtime: As `pixel_batches` wants it, and the device.
        parameters: The model's.
        what: Names the work in the progress display.

    Yields:
        The ids of a batch, and what ``forward`` gave for its pixels.

    Raises:
        DataError: An image cannot be read; raised when its batch is due.
    """

    def made(batch: tuple[tuple[str, ...], torch.Tensor]) -> tuple[tuple[str, ...], R]:
        ids, pixels = batch
        return ids, forward(pixels)

    threads = cores_for(parameters, runtime.device)
    pixels = pixel_batches(images, preprocess, runtime, what=what)
    with (
        closing(pixels),
        closing(ahead(made, pixels, runtime.device, threads=threads)) as batches,
    ):
        yield from batches


def _opened(images: Images, name: str, preprocess: Callable[[Image], torch.Tensor]) -> torch.Tensor:
    image = images.open(name)
    with alone(image.width * image.height):
        return preprocess(image)
