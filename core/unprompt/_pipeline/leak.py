"""Measuring what the splits of a run have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unprompt._data.near_duplicates import nearest_cosines
from unprompt._pipeline.dataset import DatasetSplits
from unprompt._runs.leak import Leak, Pair
from unprompt.types import FloatArray


def measure_leak(data: DatasetSplits, folds: Sequence[Sequence[str]] = ()) -> Leak:
    """Compare each two splits, prompt by prompt and image by image.

    Args:
        data: The dataset and its splits.
        folds: Ids of train and holdout by fold; empty where these are two splits.
    """
    ids, threshold = data.splits.ids, data.splits.group_cosine
    nearest: dict[Pair, FloatArray] = {"train_test": _nearest(data, ids["train"], ids["test"])}
    identical: dict[Pair, int] = {"train_test": _identical(data, ids["train"], ids["test"])}
    if folds:
        others = [
            [name for other in folds if other is not fold for name in other] for fold in folds
        ]
        met = [_nearest(data, rest, fold) for rest, fold in zip(others, folds, strict=True)]
        nearest["folds"] = np.concatenate(met)
        identical["folds"] = sum(map(_identical, [data] * len(folds), others, folds))
    else:
        pairs: list[tuple[Pair, str, str]] = [
            ("train_holdout", "train", "holdout"),
            ("holdout_test", "holdout", "test"),
        ]
        for pair, source, split in pairs:
            nearest[pair] = _nearest(data, ids[source], ids[split])
            identical[pair] = _identical(data, ids[source], ids[split])
    return Leak(
        group_cosine=threshold,
        **{f"{pair}_max_cosine": float(cosines.max()) for pair, cosines in nearest.items()},
        near_duplicates={pair: int((c >= threshold).sum()) for pair, c in nearest.items()},
        identical_images=identical,
    )


def _nearest(data: DatasetSplits, ids: Sequence[str], others: Sequence[str]) -> FloatArray:
    """The highest cosine of each other prompt with one of the first, of shape (len(others),)."""
    return nearest_cosines(data.targets.select(ids).rows, data.targets.select(others).rows)


def _identical(data: DatasetSplits, ids: Sequence[str], others: Sequence[str]) -> int:
    """How many of the other images are byte for byte among the first."""
    known = {data.digests[name] for name in ids}
    return sum(data.digests[name] in known for name in others)
