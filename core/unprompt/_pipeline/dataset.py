"""The dataset of a run: its rows, images, targets and splits."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from unprompt._data.checking import check_images
from unprompt._data.found import bounded
from unprompt._data.images import Files
from unprompt._data.splits import Splits, make_splits
from unprompt._members.context import Context
from unprompt._pipeline.timings import Timings
from unprompt._registry.boundary import naming
from unprompt._registry.parts import Experiment
from unprompt.contracts import Dataset, Images, Metrics, Record, TextEncoder, TrainSet, unheard
from unprompt.embeddings import Embeddings, check_distinct
from unprompt.errors import DataError, named

log = logging.getLogger(__name__)

MOST_SUBSETS = 100
"""Of a dataset; more are ids in the wrong column."""
LONGEST_SUBSET = 60
"""Letters of a subset's name."""


@dataclass(frozen=True, slots=True, eq=False)
class DatasetSplits:
    """A dataset, its prompts embedded and its rows divided: what members learn and are scored on.

    Attributes:
        dataset: Where rows and images come from.
        records: Every row.
        images: Every image.
        targets: Every prompt's embedding, keyed by ``image_id``.
        splits: Which image is in which split and group.
        text_encoder: The target space.
        digests: Image id -> a hash of the image's content.
    """

    dataset: Dataset
    records: tuple[Record, ...]
    images: Images
    targets: Embeddings
    splits: Splits
    text_encoder: TextEncoder
    digests: Mapping[str, str]

    @property
    def prompts(self) -> dict[str, str]:
        """Image id -> the true prompt."""
        return {record.image_id: record.prompt for record in self.records}

    def folds(self, count: int, seed: int) -> list[tuple[str, ...]]:
        """Train and holdout in ``count`` parts of about one size; whole groups only.

        Raises:
            DataError: There are fewer groups than parts.
        """
        from sklearn.model_selection import GroupKFold

        pool = self.pool()
        groups = [self.splits.groups[name] for name in pool]
        if len(set(groups)) < count:
            raise DataError(
                f"search.folds: {count} folds need as many groups, and train and holdout have "
                f"{len(set(groups))}"
            )
        folds = GroupKFold(count, shuffle=True, random_state=seed).split(pool, groups=groups)
        return [tuple(pool[i] for i in inside) for _, inside in folds]

    def pool(self) -> tuple[str, ...]:
        """The ids of train and holdout, in the dataset's order."""
        either = {*self.splits.ids["train"], *self.splits.ids["holdout"]}
        return tuple(r.image_id for r in self.records if r.image_id in either)

    def pooled(self) -> DatasetSplits:
        """The same data where train and holdout both are what they are together."""
        ids = {"train": self.pool(), "holdout": self.pool(), "test": self.splits.ids["test"]}
        return replace(self, splits=replace(self.splits, ids=ids))

    def train_set(
        self, ids: Sequence[str], work: Path | None = None, metrics: Metrics = unheard
    ) -> TrainSet:
        """Some images as a train split; ``work`` and ``metrics`` as in `TrainSet`."""
        inside = set(ids)
        records = tuple(record for record in self.records if record.image_id in inside)
        return TrainSet(
            records,
            self.images.select(ids),
            self.targets.select(ids),
            self.text_encoder,
            self.splits.group_cosine,
            work,
            metrics,
        )


def open_dataset(experiment: Experiment, context: Context, timings: Timings) -> DatasetSplits:
    """Read the dataset, embed its prompts and split it.

    Raises:
        DataError: Rows and images do not match, an image cannot be read, or a split is empty.
    """
    encoder = context.text_encoder(experiment.ensemble.text_encoder)
    with timings.timed("dataset"):
        dataset: Dataset = context.registry.build(
            experiment.dataset.spec, experiment.dataset.options
        )
        records, images = dataset.records(), dataset.images()
        ids = [record.image_id for record in records]
        with naming(dataset, "records"):
            _check_ids(ids, images)
            _check_subsets(records)
        digests = {name: images.digest(name) for name in images.ids}
        _check_images(images, digests, context)
    with timings.timed("targets"):
        rows = encoder.encode([record.prompt for record in records])
        targets = Embeddings(tuple(ids), rows)
    with timings.timed("splits"), naming(dataset, "records"):
        splits = make_splits(records, targets, experiment.config.data.split, digests)
    return DatasetSplits(dataset, records, images, targets, splits, encoder, digests)


def _check_ids(ids: Sequence[str], images: Images) -> None:
    """Raise DataError unless each image has one row, and there is one."""
    check_distinct(ids)
    unmatched = sorted(set(ids) ^ set(images.ids))
    if unmatched:
        raise DataError(f"images and prompts do not match: {named(unmatched)}")
    if not ids:
        raise DataError("there are no images")


def _check_subsets(records: Sequence[Record]) -> None:
    """Raise DataError where subsets have no names for a table, or are too many for one."""
    names = {record.subset for record in records if record.subset is not None}
    unfit = sorted(n for n in names if not n.isprintable() or len(n) > LONGEST_SUBSET)
    if unfit:
        raise DataError(
            f"names of subsets are shown in tables: one line of {LONGEST_SUBSET} letters at most, "
            f"not {named([name[:LONGEST_SUBSET] for name in unfit])}"
        )
    if len(names) > MOST_SUBSETS:
        raise DataError(
            f"{len(names)} different subsets, {named(sorted(names))}: each is scored apart, so "
            f"there may be {MOST_SUBSETS} at most"
        )


def _check_images(images: Images, digests: Mapping[str, str], context: Context) -> None:
    """Open every image file once per content, before any model loads.

    Raises:
        DataError: With one line for each file that cannot be read.
    """
    if not isinstance(images.source, Files):
        return  # drawn, not stored: nothing that could be broken

    def make(folder: Path) -> None:
        checked = check_images(images, context.runtime.workers)
        if checked.problems:
            raise DataError(bounded([*checked.problems.values()]))
        for note in checked.notes:
            log.warning(note)

    context.cache.folder("readable", list(digests.values()), make)
