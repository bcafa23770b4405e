"""The pipeline: dataset -> targets -> splits -> members -> search -> scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unprompt.assembly import Experiment
from unprompt.blend import blend, stack
from unprompt.contracts import Batch, RunView
from unprompt.data.splits import leak
from unprompt.embeddings import Embeddings, cosine
from unprompt.oracle import floor_cosines, oracle_cosines
from unprompt.predict import Prepared, Workshop, combine
from unprompt.run.blending import check_search, search_blend, with_options
from unprompt.run.members import JUDGED, Predicted, predict_members
from unprompt.run.results import Judged
from unprompt.run.stages import Stages
from unprompt.run.world import World
from unprompt.search.ablations import ABLATIONS, Stacked
from unprompt.search.drop import Bootstrap, ScoredSplit, WeightedMembers, leave_one_out
from unprompt.search.engine import SearchResult
from unprompt.search.objective import GramObjective
from unprompt.types import DoubleArray, Json

if TYPE_CHECKING:
    import optuna

ENSEMBLE = "ensemble"
"""The blend's name beside its members' in files; members may not be called so."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a run found out, before it is written.

    Attributes:
        experiment: As it was run, with the options that the search chose.
        world: Rows, pictures and splits; with folds, train and holdout pooled.
        prepared: The members with their artifacts.
        predictions: ``holdout`` and ``test`` -> member or ``ensemble`` -> predictions.
        judged: Every cosine of ``holdout`` and ``test``.
        found: The searched weights.
        study: The study behind them.
        scores: The content of ``scores.json``.
    """

    experiment: Experiment
    world: World
    prepared: Sequence[Prepared]
    predictions: Mapping[str, Mapping[str, Batch]]
    judged: Mapping[str, Judged]
    found: SearchResult
    study: optuna.Study
    scores: dict[str, Json]


def execute(
    experiment: Experiment, world: World, view: RunView, shop: Workshop, stages: Stages
) -> Outcome:
    """Train and predict with every member, search the blend, and score it."""
    check_search(experiment, world)
    predicted = predict_members(experiment, world, view, shop, stages)
    if experiment.config.search.folds:
        world = world.pooled()
    with stages.timed("search"):
        journal = view.folder / "study.journal"
        found, study = search_blend(experiment, world, predicted, shop, journal)
    experiment = with_options(experiment, world, predicted, found, shop, stages)
    with stages.timed("scores"):
        judged = {
            split: _judge(world, split, predicted.batches[split], found, experiment)
            for split in JUDGED
        }
        scores = _scores(experiment, world, predicted, found, judged)
        names = [member.name for member in experiment.ensemble.members]
        for split in JUDGED:
            batches = [predicted.batches[split][name] for name in names]
            blended = combine(batches, found.weights, world.text_encoder)
            predicted.batches[split][ENSEMBLE] = blended
    return Outcome(
        experiment, world, predicted.prepared, predicted.batches, judged, found, study, scores
    )


def _scores(
    experiment: Experiment,
    world: World,
    predicted: Predicted,
    found: SearchResult,
    judged: Mapping[str, Judged],
) -> dict[str, Json]:
    """The content of ``scores.json``."""
    config, ids = experiment.config, world.splits.ids
    names = [member.name for member in experiment.ensemble.members]
    plain = {split: one.plain(config.score) for split, one in judged.items()}
    ensemble = {split: plain[split]["ensemble"]["score"] for split in JUDGED}
    return {
        "experiment": config.name,
        "weights": dict(zip(names, found.weights, strict=True)),
        "searched_weights": dict(zip(names, found.searched, strict=True)),
        "options": {n: dict(o) for n, o in zip(names, found.options, strict=True) if o},
        "search": found.summary.model_dump(mode="json"),
        "train": {"images": len(ids["train"]), "groups": world.splits.group_count("train")},
        "leak": {
            f"train_{split}_max_cosine": leak(world.targets, ids["train"], ids[split])
            for split in JUDGED
            if split == "test" or not config.search.folds
        },
        **plain,
        "optimism": {"score": ensemble["holdout"] - ensemble["test"]},
        "leave_one_out": _leave_one_out(experiment, world, predicted, found),
        "ablations": _ablations(experiment, world, predicted, judged["test"]),
        "history": {"values": list(found.history), "best": _running_best(found.history)},
        "importances": dict(found.importances),
    }


def _leave_one_out(
    experiment: Experiment, world: World, predicted: Predicted, found: SearchResult
) -> dict[str, Json]:
    """What each member adds to the blend, judged on the holdout and reported on test."""
    names = [member.name for member in experiment.ensemble.members]
    used = [i for i, weight in enumerate(found.weights) if weight > 0]
    config = experiment.config
    splits = {}
    for split in JUDGED:
        stacked = _stacked(world, predicted, split, names)
        objective = GramObjective.from_predictions(stacked.members, stacked.targets)
        bootstrap = Bootstrap(_groups(world, split), config.score.bootstrap, config.score.seed)
        splits[split] = ScoredSplit(objective.subset(used), bootstrap)
    known = config.search.bounds
    bounds = [(low, high) for i in used for low, high in [known.get(names[i], (0.0, 1.0))]]
    members = WeightedMembers(
        [names[i] for i in used], [found.weights[i] for i in used], bounds if known else None
    )
    contributions = leave_one_out(members, splits["holdout"], splits["test"])
    return {
        name: {
            "weight": contribution.weight,
            "test": contribution.test.plain(),
            "holdout": contribution.holdout.plain(),
            "flagged": contribution.flagged,
        }
        for name, contribution in contributions.items()
    }


def _ablations(
    experiment: Experiment, world: World, predicted: Predicted, judged: Judged
) -> dict[str, Json]:
    """Other ways to blend, fitted on the holdout, and what they are ahead of ours on test."""
    names = [member.name for member in experiment.ensemble.members]
    found: dict[str, Json] = {}
    for name in experiment.config.search.ablations:
        holdout, test = (_stacked(world, predicted, split, names) for split in JUDGED)
        values = ABLATIONS[name](holdout, test, _groups(world, "holdout"))
        found[name] = judged.against_ensemble(values, experiment.config.score)
    return found


def _stacked(world: World, predicted: Predicted, split: str, names: Sequence[str]) -> Stacked:
    ids = world.splits.ids[split]
    rows = [predicted.batches[split][name].embeddings for name in names]
    return Stacked(stack(rows, ids), world.targets.select(ids).rows)


def _groups(world: World, split: str) -> list[str]:
    return [world.splits.groups[name] for name in world.splits.ids[split]]


def _judge(
    world: World,
    split: str,
    batches: Mapping[str, Batch],
    found: SearchResult,
    experiment: Experiment,
) -> Judged:
    ids = world.splits.ids[split]
    targets = world.targets.select(ids)
    names = [member.name for member in experiment.ensemble.members]
    members = [batches[name].embeddings for name in names]

    def cosines(embeddings: Embeddings) -> DoubleArray:
        return cosine(embeddings.align(ids).rows, targets.rows)

    wordings = world.dataset.wordings(ids, experiment.config.score.wordings)
    return Judged(
        members={name: cosines(one) for name, one in zip(names, members, strict=True)},
        equal=cosines(blend(members, [1.0] * len(members))),
        searched=cosines(blend(members, found.searched)),
        ensemble=cosines(blend(members, found.weights)),
        floor=floor_cosines(world.targets.select(world.splits.ids["train"]), targets),
        oracle=oracle_cosines(wordings, targets, world.text_encoder) if wordings else None,
        groups=_groups(world, split),
    )


def _running_best(values: Sequence[float]) -> list[float]:
    best: list[float] = []
    for value in values:
        best.append(max(value, best[-1]) if best else value)
    return best
