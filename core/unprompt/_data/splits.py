"""Groups of near-duplicate prompts, and train / holdout / test that never cut through one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from unprompt._config.models import SplitConfig
from unprompt.contracts import Record
from unprompt.embeddings import Embeddings
from unprompt.errors import DataError, named
from unprompt.types import FloatArray

SPLITS = ("train", "holdout", "test")
_BLOCK = 2048  # rows of the cosine matrix at a time


@dataclass(frozen=True, slots=True)
class Splits:
    """Who is in which split, and in which group.

    Attributes:
        ids: The image ids of ``train``, ``holdout`` and ``test``, in the dataset's order.
        groups: The group of every image.
    """

    ids: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, str]

    def group_count(self, split: str) -> int:
        """The number of groups in one split."""
        return len({self.groups[name] for name in self.ids[split]})


def near_duplicate_groups(rows: FloatArray, cosine: float) -> npt.NDArray[np.int64]:
    """Connected components of "at least this near".

    Args:
        rows: Unit rows of shape (N, D).
        cosine: Two rows at least this near are linked.

    Returns:
        The component of each row, of shape (N,), numbered by first occurrence.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(rows)
    left, right = [np.arange(count)], [np.arange(count)]
    for start in range(0, count, _BLOCK):
        near = rows[start : start + _BLOCK] @ rows.T >= cosine
        a, b = np.nonzero(near)
        left.append(a + start)
        right.append(b)
    links = np.concatenate(left), np.concatenate(right)
    graph = coo_array((np.ones(len(links[0]), bool), links), shape=(count, count))
    labels: npt.NDArray[np.int64] = connected_components(graph, directed=False)[1]
    return labels


def make_splits(records: Sequence[Record], targets: Embeddings, config: SplitConfig) -> Splits:
    """Group the records and divide them.

    Groups and splits that the dataset gives are kept. Otherwise equal `prompt_id`s and near
    duplicates form groups, and whole groups are dealt out.

    Args:
        records: N rows.
        targets: Their prompts' embeddings, keyed by ``image_id``.
        config: Shares, threshold and seed.

    Raises:
        DataError: Only some records have a group or a split, a given split is unknown or cuts a
            given group, or a split would be empty.
    """
    groups = _given(records, "group") or _found_groups(records, targets, config.group_cosine)
    given = _given(records, "split")
    if given:
        _check_given(given, _given(records, "group") or {})
    splits = given or _deal(records, groups, config)
    ids = {
        split: tuple(r.image_id for r in records if splits[r.image_id] == split) for split in SPLITS
    }
    empty = [split for split in SPLITS if not ids[split]]
    if empty:
        sizes = Counter(groups.values())
        raise DataError(
            f"no images left for {named(empty)}: {len(records)} images form {len(sizes)} "
            f"groups, the largest of {max(sizes.values())}; add data, or raise "
            f"data.split.group_cosine (now {config.group_cosine:g})"
        )
    return Splits(ids, groups)


def leak(targets: Embeddings, train: Sequence[str], test: Sequence[str]) -> float:
    """The highest cosine between a test prompt and a train prompt."""
    a, b = targets.select(train).rows, targets.select(test).rows
    starts = range(0, len(b), _BLOCK)
    return float(max((b[start : start + _BLOCK] @ a.T).max() for start in starts))


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
    """Refuse splits of the dataset's own that are unknown or cut its own groups."""
    unknown = sorted(set(splits.values()) - set(SPLITS))
    if unknown:
        raise DataError(f"unknown split {named(unknown)}; known are {', '.join(SPLITS)}")
    places: dict[str, set[str]] = {}
    for image_id, group in groups.items():
        places.setdefault(group, set()).add(splits[image_id])
    cut = [group for group, found in places.items() if len(found) > 1]
    if cut:
        raise DataError(f"the given split cuts the given group {named(cut)}")


def _found_groups(records: Sequence[Record], targets: Embeddings, cosine: float) -> dict[str, str]:
    first = {record.prompt_id: record.image_id for record in reversed(records)}
    rows = targets.select(list(first.values())).rows  # one per distinct prompt
    labels = dict(zip(first, near_duplicate_groups(rows, cosine), strict=True))
    return {record.image_id: f"g{labels[record.prompt_id]}" for record in records}


def _deal(
    records: Sequence[Record], groups: Mapping[str, str], config: SplitConfig
) -> dict[str, str]:
    """Deal whole groups in random order to the split that lacks most of its share."""
    sizes = Counter(groups[record.image_id] for record in records)
    total = len(records)
    wanted = {split: getattr(config, split) * total for split in SPLITS}
    room = dict(wanted)
    names = sorted(sizes)
    order = np.random.default_rng(config.seed).permutation(len(names))
    # A group that fills a whole split by itself goes first, while the largest split has room.
    dealt = sorted(order.tolist(), key=lambda i: sizes[names[i]] < min(wanted.values()))
    chosen: dict[str, str] = {}
    for i in dealt:
        size = sizes[names[i]]
        fitting = [split for split in SPLITS if room[split] >= size]
        if fitting:
            split = max(fitting, key=lambda name: room[name] / wanted[name])
        else:
            split = max(SPLITS, key=lambda name: room[name])
        chosen[names[i]] = split
        room[split] -= size
    return {record.image_id: chosen[groups[record.image_id]] for record in records}
