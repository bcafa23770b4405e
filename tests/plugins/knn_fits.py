"""A fit of kernels on queries and a bank that a test makes up."""

from __future__ import annotations

import numpy as np

from unprompt.bank import PromptBank
from unprompt.types import FloatArray
from unprompt_knn.centre import Centre
from unprompt_knn.fit import Grid, near_duplicates
from unprompt_knn.kernels import Auto, Fitted, Kernel, to_try
from unprompt_knn.near import Near


def neighbours_of(bank: PromptBank, queries: FloatArray, count: int) -> Near:
    """The nearest prompts of a bank, each of which occurs once."""
    return Near.of(bank, np.ones(len(bank)), *bank.search_keys(queries, count))[0]


def fitted(
    bank: PromptBank,
    queries: FloatArray,
    targets: FloatArray,
    neighbours: int,
    kernel: Kernel | Auto,
    near_duplicate: float = 0.7,
    centre: Centre | None = None,
) -> Fitted | None:
    """What a fit on these images chooses."""
    grid = Grid(to_try(kernel, neighbours), centre, 0.0)
    near = neighbours_of(bank, queries, 2 * neighbours)
    near = near.without(near_duplicates(near, targets, near_duplicate)).first(neighbours)
    half = np.arange(len(queries)) < len(queries) // 2  # what is added in parts is the same
    for part in (half, ~half):
        grid.add(near.at(part), targets[part])
    return grid.best()


def number_of(choice: Fitted | None) -> float:
    """The one number of the kernel that was chosen."""
    assert choice is not None
    return float(getattr(choice.kernel, choice.kernel.number))
