"""A batch over all processes of a fit: what its parts have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from unprompt.errors import DataError, named
from unprompt.train.broken import Broken
from unprompt.train.samples import SampleBatch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_NAMED = 64


def of_all(fabric: Fabric, own: Sequence[Any]) -> list[Any]:
    """What every process has, in their order."""
    if fabric.world_size == 1:
        return list(own)
    import torch.distributed

    parts: list[list[Any]] = [[] for _ in range(fabric.world_size)]
    torch.distributed.all_gather_object(parts, list(own))
    return [item for part in parts for item in part]


def balance(fabric: Fabric, batch: SampleBatch) -> tuple[list[Broken], float]:
    """The batch's broken samples in all processes, and the factor of this process's mean loss.

    The mean over processes of mean losses times factors is the mean over all samples, also where
    some processes have lost samples.
    """
    import torch

    if fabric.world_size == 1:
        return list(batch.broken), 1.0
    here = torch.tensor([len(batch.rows), len(batch.broken)], device=fabric.device)
    there: Any = fabric.all_reduce(here, reduce_op="sum")
    whole, broken = there.tolist()
    factor = len(batch.rows) * fabric.world_size / max(1, whole)
    return (of_all(fabric, batch.broken) if broken else []), factor


def not_finite(
    values: Mapping[str, float], ids: Sequence[str], fabric: Fabric, where: str, kept: str
) -> DataError:
    """The error of a loss or gradient that is not finite; names the batch's images.

    Called by all processes, in which both are the same.

    Args:
        values: Both.
        ids: The batch's images in this process.
        fabric: Knows the other processes.
        where: The step, for the line.
        kept: What is kept.
    """
    wrong = [f"the {name} is {value}" for name, value in values.items() if not math.isfinite(value)]
    batch = named(of_all(fabric, ids), limit=_NAMED)
    return DataError(
        f"{where}: {wrong[0]}; {kept}; look at the images of the batch and their prompts, or "
        f"lower `learning_rate`: {batch}"
    )
