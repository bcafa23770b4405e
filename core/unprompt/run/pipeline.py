"""The pipeline: dataset -> targets -> splits -> members -> search -> scores -> run folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unprompt.assembly import Experiment
from unprompt.blend import blend, stack
from unprompt.contracts import Batch, Dataset, Images, Record, RunView, TextEncoder, TrainSet
from unprompt.data.pictures import Files, unreadable
from unprompt.data.splits import Splits, leak, make_splits
from unprompt.embeddings import Embeddings, check_distinct, cosine
from unprompt.errors import DataError, named
from unprompt.oracle import floor_cosines, oracle_cosines
from unprompt.predict import Prepared, Workshop, combine, predict, prepare
from unprompt.run.results import Judged
from unprompt.run.stages import Stages
from unprompt.search.objective import GramObjective
from unprompt.search.study import Found, search
from unprompt.types import DoubleArray, Json

JUDGED = ("holdout", "test")
ENSEMBLE = "ensemble"
"""The blend's name beside its members' in files; members may not be called so."""


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Everything that members are trained and judged on.

    Attributes:
        dataset: Where it came from.
        records: Every row.
        images: Every picture.
        targets: Every prompt's embedding, keyed by ``image_id``.
        splits: Who is where.
        text_encoder: The target space.
    """

    dataset: Dataset
    records: tuple[Record, ...]
    images: Images
    targets: Embeddings
    splits: Splits
    text_encoder: TextEncoder

    def train(self) -> TrainSet:
        """What members may learn from."""
        ids = self.splits.ids["train"]
        inside = set(ids)
        records = tuple(record for record in self.records if record.image_id in inside)
        targets = self.targets.select(ids)
        return TrainSet(records, self.images.select(ids), targets, self.text_encoder)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a run found out, before it is written.

    Attributes:
        prepared: The members with their artifacts.
        predictions: ``holdout`` and ``test`` -> member or ``ensemble`` -> predictions.
        found: The searched weights.
        scores: The content of ``scores.json``.
    """

    prepared: Sequence[Prepared]
    predictions: dict[str, dict[str, Batch]]
    found: Found
    scores: dict[str, Json]


def open_world(experiment: Experiment, shop: Workshop, stages: Stages) -> World:
    """Read the dataset, embed its prompts and split it.

    Raises:
        DataError: Rows and pictures do not match, a picture cannot be read, or a split is empty.
    """
    encoder = shop.text_encoder(experiment.ensemble.text_encoder)
    with stages.timed("dataset"):
        dataset: Dataset = shop.registry.build(experiment.dataset.spec, experiment.dataset.options)
        records, images = dataset.records(), dataset.images()
        ids = [record.image_id for record in records]
        check_distinct(ids)
        odd = sorted(set(ids) ^ set(images.ids))
        if odd:
            raise DataError(f"pictures and prompts do not match: {named(odd)}")
        check_pictures(images, shop)
    with stages.timed("targets"):
        rows = encoder.encode([record.prompt for record in records])
        targets = Embeddings(tuple(ids), rows)
    with stages.timed("splits"):
        splits = make_splits(records, targets, experiment.config.data.split)
    return World(dataset, records, images, targets, splits, encoder)


def check_pictures(images: Images, shop: Workshop) -> None:
    """Open every picture file once per content, before any model loads.

    Raises:
        DataError: With one line for each file that cannot be read.
    """
    if not isinstance(images.source, Files):
        return  # drawn, not stored: nothing that could be broken

    def make(folder: Path) -> None:
        problems = unreadable(images, shop.runtime.workers)
        if problems:
            raise DataError(list(problems.values()))

    shop.cache.folder("readable", [images.digest(name) for name in images.ids], make)


def execute(
    experiment: Experiment, world: World, view: RunView, shop: Workshop, stages: Stages
) -> Outcome:
    """Train and predict with every member, search the blend, and score it."""
    prepared, predictions = _predict(experiment, world, view, shop, stages)
    names = [member.name for member in experiment.ensemble.members]
    with stages.timed("search"):
        rows = {name: predictions["holdout"][name].embeddings for name in names}
        ids = world.splits.ids["holdout"]
        objective = GramObjective.of(
            stack([rows[name] for name in names], ids), world.targets.select(ids).rows
        )
        journal = view.folder / "study.journal"
        found = search(objective, names, experiment.config.search, journal, experiment.config.name)
    with stages.timed("scores"):
        scores: dict[str, Json] = {
            "experiment": experiment.config.name,
            "weights": dict(zip(names, found.weights, strict=True)),
            "search": {"trials": found.trials, "best_trial": found.best_trial},
            "train": {
                "images": len(world.splits.ids["train"]),
                "groups": world.splits.group_count("train"),
            },
            "leak": {
                f"train_{split}_max_cosine": leak(
                    world.targets, world.splits.ids["train"], world.splits.ids[split]
                )
                for split in JUDGED
            },
        }
        for split in JUDGED:
            judged = _judge(world, split, predictions[split], names, found, experiment)
            scores[split] = judged.plain(experiment.config.score)
            batches = [predictions[split][name] for name in names]
            blended = combine(batches, found.weights, world.text_encoder)
            predictions[split][ENSEMBLE] = blended
    return Outcome(prepared, predictions, found, scores)


def _predict(
    experiment: Experiment, world: World, view: RunView, shop: Workshop, stages: Stages
) -> tuple[list[Prepared], dict[str, dict[str, Batch]]]:
    """Members one after another, so that memory holds one tower."""
    train = world.train()
    prepared: list[Prepared] = []
    predictions: dict[str, dict[str, Batch]] = {split: {} for split in JUDGED}
    for member in experiment.ensemble.members:
        with stages.timed(f"prepare {member.name}"):
            prepared.append(prepare(member, train, shop))
        for split in JUDGED:
            with stages.timed(f"predict {member.name}"):
                images = world.images.select(world.splits.ids[split])
                batch = predict(prepared[-1], images, shop)
            predictions[split][member.name] = batch
            shop.registry.notify(
                experiment.plugins,
                "unprompt_member_predicted",
                run=view,
                member=member.name,
                split=split,
                embeddings=batch.embeddings,
            )
    return prepared, predictions


def _judge(
    world: World,
    split: str,
    batches: dict[str, Batch],
    names: Sequence[str],
    found: Found,
    experiment: Experiment,
) -> Judged:
    ids = world.splits.ids[split]
    targets = world.targets.select(ids)
    members = [batches[name].embeddings for name in names]

    def cosines(embeddings: Embeddings) -> DoubleArray:
        return cosine(embeddings.align(ids).rows, targets.rows)

    wordings = world.dataset.wordings(ids, experiment.config.score.wordings)
    return Judged(
        members={name: cosines(one) for name, one in zip(names, members, strict=True)},
        equal=cosines(blend(members, [1.0] * len(members))),
        ensemble=cosines(blend(members, found.weights)),
        floor=floor_cosines(world.targets.select(world.splits.ids["train"]), targets),
        oracle=oracle_cosines(wordings, targets, world.text_encoder) if wordings else None,
        groups=[world.splits.groups[name] for name in ids],
    )
