"""What splits have in common is measured pair by pair, and warned of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from unprompt import Embeddings, unit
from unprompt._data.memory import MemoryImages
from unprompt._data.splits import Splits
from unprompt._pipeline.dataset import DatasetSplits
from unprompt._pipeline.leak import measure_leak
from unprompt._runs.leak import Leak
from unprompt.contracts import Dataset, Images, Record
from unprompt.testing import HashedWords

SIZES = {"train": 3, "holdout": 2, "test": 3}
ROWS = {
    "a": [1, 0, 0],
    "b": [0, 1, 0],
    "c": [0, 0, 1],
    "d": [0.6, 0, 0.8],  # 0.8 to c
    "e": [-1, 0, 0],
    "f": [1, 0, 0],  # as a
    "g": [0, 0.28, -0.96],  # 0.28 to b
    "h": [-1, 0, 0],  # as e
}


class NoDataset(Dataset):
    """Nothing is asked of it here."""

    def records(self) -> tuple[Record, ...]:
        raise NotImplementedError

    def images(self) -> Images:
        raise NotImplementedError


def data(ids: Mapping[str, Sequence[str]], digests: Mapping[str, str]) -> DatasetSplits:
    records = tuple(Record(name, name, name) for name in ROWS)
    targets = Embeddings(tuple(ROWS), unit(np.array(list(ROWS.values()))))
    images = Images(tuple(ROWS), MemoryImages({}))
    splits = Splits({name: tuple(names) for name, names in ids.items()}, {}, 0.7)
    return DatasetSplits(
        NoDataset(),
        records,
        images,
        targets,
        splits,
        HashedWords(),
        {**{n: n for n in ROWS}, **digests},
    )


def test_each_two_splits_are_compared() -> None:
    ids = {"train": "abc", "holdout": "de", "test": "fgh"}
    leak = measure_leak(data(ids, {"f": "a", "g": "a", "e": "x", "h": "x"}))
    assert leak.train_test_max_cosine == pytest.approx(1)
    assert leak.train_holdout_max_cosine == pytest.approx(0.8)
    assert leak.holdout_test_max_cosine == pytest.approx(1)
    assert leak.folds_max_cosine is None
    assert leak.near_duplicates == {"train_test": 1, "train_holdout": 1, "holdout_test": 1}
    assert leak.identical_images == {"train_test": 2, "train_holdout": 0, "holdout_test": 1}
    warnings = leak.warnings(SIZES)
    assert [line.partition(" images ")[0] for line in warnings] == [
        "1 of 3 test",
        "2 of 3 test",
        "1 of 2 holdout",
        "1 of 3 test",
        "1 of 3 test",
    ]
    assert "2 test images are byte-identical to a train image" in leak.summary()


def test_with_folds_each_fold_is_compared_with_the_others() -> None:
    pool = {"train": "abcde", "holdout": "abcde", "test": "fgh"}
    leak = measure_leak(data(pool, {"b": "a"}), [("a", "c"), ("b", "d"), ("e",)])
    assert leak.folds_max_cosine == pytest.approx(0.8)
    assert (leak.train_holdout_max_cosine, leak.holdout_test_max_cosine) == (None, None)
    assert leak.near_duplicates == {"train_test": 2, "folds": 2}
    assert leak.identical_images == {"train_test": 0, "folds": 2}
    lines = leak.warnings({"train and holdout": 5, "test": 3})
    assert lines[1].startswith("2 of 5 train and holdout images have a near-duplicate of their")


def test_where_nothing_is_shared_nothing_is_warned_of() -> None:
    leak = Leak(
        group_cosine=0.7,
        train_test_max_cosine=0.69999,
        near_duplicates={"train_test": 0},
        identical_images={"train_test": 0},
    )
    assert leak.warnings(SIZES) == []
    nearest = "the nearest test prompt to a train prompt has cosine 0.69999"
    assert leak.summary() == f"{nearest}; no test image is byte-identical to a train image"
