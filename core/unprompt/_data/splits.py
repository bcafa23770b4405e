"""Groups of images that belong together, and train, holdout and test splits of whole groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unprompt._config.models import SplitConfig
from unprompt._data.near_duplicates import in_order, joined_groups, near_duplicate_groups
from unprompt.contracts import Record
from unprompt.embeddings import Embeddings
from unprompt.errors import DataError, named

SPLITS = ("train", "holdout", "test")


@dataclass(frozen=True, slots=True)
class Splits:
    """The split and the group of each image.

    Attributes:
        ids: The image ids of ``train``, ``holdout`` and ``test``, in the dataset's order.
        groups: The group of every image.
        group_cosine: From which cosine on prompts count as near-duplicates.
    """

    ids: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, str]
    group_cosine: float

    def group_count(self, split: str) -> int:
        """The number of groups in one split."""
        return len({self.groups[name] for name in self.ids[split]})


def make_splits(
    records: Sequence[Record],
    targets: Embeddings,
    config: SplitConfig,
    digests: Mapping[str, str] | None = None,
) -> Splits:
    """Group the records and divide them.

    Groups and splits that the dataset gives are kept. Otherwise images with equal `prompt_id`s,
    near-duplicate prompts or equal content form groups, and whole groups are assigned to splits.

    Args:
        records: N rows.
        targets: Their prompts' embeddings, keyed by ``image_id``.
        digests: Image id -> a hash of the image's content; None: no two images are the same.
        config: The splits' shares of the images, the threshold of groups, and the seed.

    Raises:
        DataError: Only some records have a group or a split, a given split is unknown or cuts a
            given group, or a split would be empty.
    """
    groups = _given(records, "group") or _make_groups(
        records, targets, config.group_cosine, digests or {}
    )
    given = _given(records, "split")
    if given:
        _check_given(given, _given(records, "group") or {})
    splits = given or _assign_splits(records, groups, config)
    ids = {
        split: tuple(r.image_id for r in records if splits[r.image_id] == split) for split in SPLITS
    }
    empty = [split for split in SPLITS if not ids[split]]
    if empty:
        sizes = Counter(groups.values())
        form = f"form {len(sizes)} {'group' if len(sizes) == 1 else 'groups'}"
        raise DataError(
            f"no images left for {named(empty)}: {len(records)} images {form}, the largest of "
            f"{max(sizes.values())}; add data, or raise "
            f"data.split.group_cosine (now {config.group_cosine:g})"
        )
    return Splits(ids, groups, config.group_cosine)


def _given(records: Sequence[Record], column: str) -> dict[str, str] | None:
    """The dataset's own groups or splits, if it has any."""
    values = {record.image_id: getattr(record, column) for record in records}
    without = [name for name, value in values.items() if value is None]
    if len(without) == len(values):
        return None
    if without:
        raise DataError(f"some images have a {column}, but not {named(without)}")
    return values


def _check_given(splits: Mapping[str, str], groups: Mapping[str, str]) -> None:
    """Raise DataError where the dataset's own splits are unknown or cut its own groups."""
    unknown = sorted(set(splits.values()) - set(SPLITS))
    if unknown:
        raise DataError(f"unknown split {named(unknown)}; known are {', '.join(SPLITS)}")
    splits_of_group: dict[str, set[str]] = {}
    for image_id, group in groups.items():
        splits_of_group.setdefault(group, set()).add(splits[image_id])
    cut = [group for group, names in splits_of_group.items() if len(names) > 1]
    if cut:
        raise DataError(f"the given split cuts the given group {named(cut)}")


def _make_groups(
    records: Sequence[Record], targets: Embeddings, cosine: float, digests: Mapping[str, str]
) -> dict[str, str]:
    ids = [record.image_id for record in records]
    rows = targets.select(ids).rows
    groups = joined_groups(
        near_duplicate_groups(rows, cosine),
        [record.prompt_id for record in records],
        [digests.get(name, name) for name in ids],
    )
    # Numbered from the last record on: what a random seed splits depends on it, and stays.
    numbers = in_order(groups[::-1])[::-1]
    return {name: f"g{number}" for name, number in zip(ids, numbers, strict=True)}


def _assign_splits(
    records: Sequence[Record], groups: Mapping[str, str], config: SplitConfig
) -> dict[str, str]:
    """Assign whole groups, in random order, to the split that lacks most of its share."""
    sizes = Counter(groups[record.image_id] for record in records)
    total = len(records)
    wanted = {split: getattr(config, split) * total for split in SPLITS}
    lacking = dict(wanted)
    names = sorted(sizes)
    order = np.random.default_rng(config.seed).permutation(len(names))
    # Groups as large as the smallest split come first, while the largest split can take them.
    large_first = sorted(order.tolist(), key=lambda i: sizes[names[i]] < min(wanted.values()))
    chosen: dict[str, str] = {}
    for i in large_first:
        size = sizes[names[i]]
        fitting = [split for split in SPLITS if lacking[split] >= size]
        if fitting:
            split = max(fitting, key=lambda name: lacking[name] / wanted[name])
        else:
            split = max(SPLITS, key=lambda name: lacking[name])
        chosen[names[i]] = split
        lacking[split] -= size
    return {record.image_id: chosen[groups[record.image_id]] for record in records}
