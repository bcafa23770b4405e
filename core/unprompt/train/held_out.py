"""Validation images: a share of the train split that a fit does not see.

They choose penalties, checkpoints and interpolations. The holdout, on which weights of a blend are
searched, and the test split stay unseen by every member.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from unprompt._data.near_duplicates import joined_groups, near_duplicate_groups
from unprompt.contracts import TrainSet
from unprompt.errors import DataError
from unprompt.types import BoolArray


def validation_images(train: TrainSet, share: float, seed: int) -> BoolArray:
    """Choose whole groups of images at random.

    Groups are the dataset's where it has them; otherwise images with equal `prompt_id`s,
    near-duplicate prompts (`TrainSet.group_cosine`) or equal content.

    Args:
        train: N images.
        share: Of the images; 0: none.
        seed: Of the choice, not negative.

    Returns:
        For each of N images whether it is one of them, of shape (N,), in the order of the records.

    Raises:
        DataError: All images are of one group, so that some cannot be held back.
    """
    held = np.zeros(len(train), np.bool_)
    if share == 0:
        return held
    groups = _groups(train)
    sizes = np.bincount(groups)
    if len(sizes) < 2:
        raise DataError(
            f"validation: the {len(train)} train images are of one group of near-duplicate "
            "prompts, so that none can be held back; `validation: 0` takes none"
        )
    wanted = max(1, round(share * len(train)))
    order = np.random.default_rng(seed).permutation(len(sizes))
    chosen, count = [], 0
    for group in order.tolist():
        if count + sizes[group] <= wanted:
            chosen.append(group)
            count += int(sizes[group])
    if not chosen:  # every group is larger than the share
        chosen = [int(np.argmin(sizes))]
    result: BoolArray = np.isin(groups, chosen)
    return result


def _groups(train: TrainSet) -> npt.NDArray[np.int64]:
    """The number of each record's group, of shape (N,)."""
    given = [record.group for record in train.records]
    if all(name is not None for name in given):
        return joined_groups([str(name) for name in given])
    ids = [record.image_id for record in train.records]
    return joined_groups(
        near_duplicate_groups(train.targets.select(ids).rows, train.group_cosine),
        [record.prompt_id for record in train.records],
        [train.images.digest(name) for name in ids],
    )
