"""The order in which an epoch takes its samples: a function of the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from unprompt.errors import ConfigError

Rows: TypeAlias = npt.NDArray[np.int64]
"""Numbers of samples."""

_STREAM = 1
"""Tells these random numbers from others of the same seed and epoch."""


def epoch_order(
    n: int,
    seed: int,
    epoch: int,
    *,
    blocks: Sequence[int] | None = None,
    buffer: int | None = None,
    prompts: Sequence[int] | Rows | None = None,
) -> Rows:
    """The samples of one epoch, each at most once.

    With ``blocks`` and ``buffer``, storage is read almost in sequence: whole blocks in random
    order, and then a shuffle through a moving buffer. A sample's place is drawn from the
    ``buffer`` places from its own on, so that it is taken at most ``buffer`` places from where its
    block lies, and only so many samples are ever both begun and left.

    Args:
        n: Number of samples.
        seed: Not negative.
        epoch: Not negative.
        blocks: Sizes of the consecutive blocks (tar files, row groups) in which the n samples lie.
        buffer: Samples of the moving buffer; None, or no ``blocks``: any order is as likely.
        prompts: The number of each sample's prompt: one random sample of each prompt is taken.
            None: every sample is.

    Returns:
        Numbers from 0 to n - 1, of shape (n,), or (number of prompts,).
    """
    generator = np.random.default_rng([seed, epoch, _STREAM])
    if blocks is None or buffer is None:
        order = generator.permutation(n)
    else:
        order = _buffered(_by_blocks(n, blocks, generator), buffer, generator)
    return order if prompts is None else order[_one_each(n, prompts, generator)[order]]


def share(
    order: Rows, rank: int, world: int, batch_size: int, *, keep_last: bool = False
) -> list[Rows]:
    """The batches of one of several processes: its equal part of every batch of all.

    All processes together see the batches that one process alone would see.

    Args:
        order: What `epoch_order` gives, the same in every process.
        rank: Number of this process, from 0.
        world: Number of processes.
        batch_size: Samples of a batch over all processes.
        keep_last: Whether a short last batch is kept, as scores need it; parts then differ by one
            sample, and those without a sample are left out. A training drops it, unless it is the
            only batch, which is cut to equal parts.

    Raises:
        ConfigError: The batch cannot be divided equally, or there are fewer samples than processes.
    """
    if batch_size % world:
        raise ConfigError(
            f"batch_size: {batch_size} cannot be divided among {world} processes; take a multiple "
            f"of {world}"
        )
    whole = len(order) - len(order) % batch_size
    rest = order[whole:]
    batches = [order[start : start + batch_size] for start in range(0, whole, batch_size)]
    if keep_last:
        parts = [np.array_split(batch, world)[rank] for batch in [*batches, rest]]
        return [part for part in parts if len(part)]
    if not batches:
        if len(order) < world:
            raise ConfigError(f"processes: {world}, but there are {len(order)} samples")
        batches = [order[: len(order) - len(order) % world]]
    return [np.split(batch, world)[rank] for batch in batches]


def picks(epoch: int, batches: Sequence[Rows]) -> list[list[tuple[int, int]]]:
    """Batches as `Samples` are asked for them: (epoch, number of the sample)."""
    return [[(epoch, int(row)) for row in batch] for batch in batches]


def _by_blocks(n: int, blocks: Sequence[int], generator: np.random.Generator) -> Rows:
    """Samples block by block, the blocks in random order."""
    sizes = np.asarray(blocks, np.int64)
    if sizes.sum() != n or (sizes < 0).any():
        raise ValueError(f"blocks of {int(sizes.sum())} samples, but there are {n}")
    starts = np.cumsum(sizes) - sizes
    turn = generator.permutation(len(sizes))
    taken = sizes[turn]
    first = np.repeat(starts[turn] - (np.cumsum(taken) - taken), taken)
    order: Rows = first + np.arange(n)
    return order


def _buffered(order: Rows, buffer: int, generator: np.random.Generator) -> Rows:
    """Each sample at a random place among the ``buffer`` next ones."""
    late = np.arange(len(order)) + buffer * generator.random(len(order))
    return order[np.argsort(late, kind="stable")]


def _one_each(
    n: int, prompts: Sequence[int] | Rows, generator: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Whether each sample is the one that stands for its prompt."""
    numbers = np.asarray(prompts)
    if numbers.shape != (n,):
        raise ValueError(f"prompts of {len(numbers)} samples, but there are {n}")
    by_prompt = np.lexsort((generator.random(n), numbers))
    first = np.ones(n, np.bool_)
    first[1:] = np.diff(numbers[by_prompt]) != 0
    chosen = np.zeros(n, np.bool_)
    chosen[by_prompt[first]] = True
    return chosen
