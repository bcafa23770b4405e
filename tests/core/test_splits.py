"""Groups of near-duplicate prompts, and splits that never cut through one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unprompt import DataError, Embeddings, Record, unit
from unprompt._config.models import SplitConfig
from unprompt._data.splits import SPLITS, make_splits


def _records(prompts: Sequence[str], **columns: Sequence[str | None]) -> tuple[Record, ...]:
    texts = [{name: column[n] for name, column in columns.items()} for n in range(len(prompts))]
    records = [Record(f"i{n}", prompt, prompt) for n, prompt in enumerate(prompts)]
    return tuple(map(_with, records, texts))


def _with(record: Record, texts: dict[str, str | None]) -> Record:
    changes: dict[str, Any] = dict(texts)
    return replace(record, **changes)


def _targets(records: Sequence[Record]) -> Embeddings:
    """Each prompt has its own axis: only equal prompts are near duplicates."""
    axis = {prompt: i for i, prompt in enumerate(dict.fromkeys(r.prompt for r in records))}
    eye = np.eye(len(axis), dtype=np.float32)
    ids = tuple(record.image_id for record in records)
    return Embeddings(ids, eye[[axis[record.prompt] for record in records]])


def test_near_duplicate_prompts_share_a_group_and_a_split() -> None:
    rows = unit([[1, 0.1 * i, 0] for i in range(3)] + [[0, 0, 1.0], [0, -1, 0], [-1, 0, 0]])
    records = _records(list("abcdef"))
    splits = make_splits(
        records,
        Embeddings(tuple(r.image_id for r in records), rows),
        SplitConfig(train=0.5, holdout=0.25, test=0.25),
    )
    assert len({splits.groups[f"i{n}"] for n in range(3)}) == 1
    assert (
        splits.group_count("train") + splits.group_count("holdout") + splits.group_count("test")
        == 4
    )


@settings(max_examples=60)
@given(st.lists(st.integers(1, 6), min_size=40, max_size=80), st.integers(0, 1000))
def test_groups_are_whole_and_shares_hold_within_the_largest(sizes: list[int], seed: int) -> None:
    prompts = [f"prompt {n}" for n, size in enumerate(sizes) for _ in range(size)]
    records = _records(prompts)
    config = SplitConfig(train=0.6, holdout=0.2, test=0.2, seed=seed)
    splits = make_splits(records, _targets(records), config)
    everywhere = [name for split in SPLITS for name in splits.ids[split]]
    assert sorted(everywhere) == sorted(record.image_id for record in records)
    homes = {split: {splits.groups[name] for name in splits.ids[split]} for split in SPLITS}
    assert sum(map(len, homes.values())) == len(sizes)  # no group in two splits
    for split in SPLITS:
        wanted = getattr(config, split) * len(records)
        assert abs(len(splits.ids[split]) - wanted) <= max(sizes)


def test_a_seed_repeats_its_split_and_another_one_does_not() -> None:
    records = _records([f"prompt {n}" for n in range(50)])
    targets = _targets(records)
    first = make_splits(records, targets, SplitConfig(seed=1))
    assert first == make_splits(records, targets, SplitConfig(seed=1))
    assert first != make_splits(records, targets, SplitConfig(seed=2))


def test_each_split_keeps_the_order_of_the_dataset() -> None:
    records = _records([f"prompt {n}" for n in range(50)])
    splits = make_splits(records, _targets(records), SplitConfig())
    for split in SPLITS:
        numbers = [int(name[1:]) for name in splits.ids[split]]
        assert numbers == sorted(numbers)


def test_given_groups_are_kept() -> None:
    group = ["x"] * 5 + [f"y{n}" for n in range(30)]
    records = _records([f"prompt {n}" for n in range(35)], group=group)
    splits = make_splits(records, _targets(records), SplitConfig())
    assert [splits.groups[record.image_id] for record in records] == group
    assert len({split for split in SPLITS for n in range(5) if f"i{n}" in splits.ids[split]}) == 1


def test_given_splits_are_kept() -> None:
    split = ["test", "train", "holdout", "train"]
    records = _records(list("abcd"), split=split)
    splits = make_splits(records, _targets(records), SplitConfig())
    assert splits.ids == {"train": ("i1", "i3"), "holdout": ("i2",), "test": ("i0",)}


def test_a_given_split_that_cuts_a_given_group_names_the_group() -> None:
    split = ["train", "holdout", "test", "test"]
    records = _records(list("abcd"), split=split, group=["x", "y", "x", "z"])
    with pytest.raises(DataError, match=r"^the given split cuts the given group 'x'$"):
        make_splits(records, _targets(records), SplitConfig())


def test_a_given_split_of_another_name_is_refused_and_drops_no_image() -> None:
    records = _records(list("abcd"), split=["train", "val", "test", "holdout"])
    with pytest.raises(DataError, match=r"unknown split 'val'; known are train, holdout, test"):
        make_splits(records, _targets(records), SplitConfig())


@pytest.mark.parametrize("column", ["group", "split"])
def test_a_column_that_only_some_images_have_is_refused(column: str) -> None:
    records = _records(list("abc"), **{column: ["train", None, "test"]})
    with pytest.raises(DataError, match=rf"^some images have a {column}, but not 'i1'$"):
        make_splits(records, _targets(records), SplitConfig())


def test_too_few_groups_for_three_splits_are_refused() -> None:
    records = _records(["same"] * 6)
    with pytest.raises(DataError) as caught:
        make_splits(records, _targets(records), SplitConfig())
    (line,) = caught.value.problems
    assert "no images left for 'holdout', 'test'" in line
    assert "6 images form 1 group, the largest of 6" in line


def test_one_large_group_leaves_the_other_splits_their_shares() -> None:
    records = _records(["same"] * 50 + [f"prompt {n}" for n in range(50)])
    splits = make_splits(records, _targets(records), SplitConfig())
    assert set(Counter(splits.groups.values()).values()) == {50, 1}
    assert "i0" in splits.ids["train"]
    assert (len(splits.ids["holdout"]), len(splits.ids["test"])) == (10, 10)


def test_identical_images_are_one_group_whatever_their_prompts() -> None:
    records = _records([f"prompt {n}" for n in range(30)])
    digests = {record.image_id: record.image_id for record in records} | {"i3": "x", "i29": "x"}
    splits = make_splits(records, _targets(records), SplitConfig(), digests)
    assert splits.groups["i3"] == splits.groups["i29"]
    assert len(set(splits.groups.values())) == 29
    (home,) = [split for split in SPLITS if "i3" in splits.ids[split]]
    assert "i29" in splits.ids[home]


def test_a_given_split_is_kept_though_it_parts_identical_images() -> None:
    records = _records(list("abcd"), split=["train", "holdout", "test", "test"])
    digests = {"i0": "x", "i1": "y", "i2": "x", "i3": "z"}
    splits = make_splits(records, _targets(records), SplitConfig(), digests)
    assert splits.ids == {"train": ("i0",), "holdout": ("i1",), "test": ("i2", "i3")}
    assert splits.groups["i0"] == splits.groups["i2"]
