"""The search of one experiment: from members' held-out predictions to weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt.assembly import Experiment
from unprompt.blend import stack
from unprompt.embeddings import Embeddings
from unprompt.errors import ConfigError, DataError
from unprompt.files import content_hash
from unprompt.predict import Workshop
from unprompt.run.members import Predicted, predict_member
from unprompt.run.stages import Stages
from unprompt.run.world import World
from unprompt.search.drop import Bootstrap
from unprompt.search.engine import SearchResult, search
from unprompt.search.fingerprint import sketch
from unprompt.search.objective import GramObjective
from unprompt.search.problem import Problem, Variants
from unprompt.search.storages import open_storage
from unprompt.types import Json
from unprompt.variants import predict_variants, revised_member

if TYPE_CHECKING:
    import optuna


def check_search(experiment: Experiment, world: World) -> None:
    """Find out before hours of predicting what would stop the search after them.

    Raises:
        DataError: The holdout is a single group: any weights would fit it.
        ConfigError: The storage cannot be used, or two parts of the block exclude each other.
    """
    search, ids = experiment.config.search, world.splits.ids["holdout"]
    if world.splits.group_count("holdout") < 2:
        raise DataError(
            f"the holdout's {len(ids)} pictures are one group of near-duplicate prompts: weights "
            "chosen on it mean nothing; add data, or raise data.split.group_cosine"
        )
    if search.folds and search.space:
        raise ConfigError("search.space: cannot be used together with search.folds")
    if search.folds:
        world.folds(search.folds, search.seed)
    if search.storage:
        open_storage(search.storage)


def search_blend(
    experiment: Experiment, world: World, predicted: Predicted, shop: Workshop, journal: Path
) -> tuple[SearchResult, optuna.Study]:
    """Search weights and cheap options on held-out predictions.

    Args:
        experiment: Its search block.
        world: Targets and groups; with folds, the pooled one.
        predicted: Every member's predictions for ``holdout``.
        shop: For predictions under other options.
        journal: Where the study is kept unless the search block says otherwise.

    Raises:
        ConfigError: The storage or the study cannot be used.
    """
    ids = world.splits.ids["holdout"]
    groups = [world.splits.groups[name] for name in ids]
    rows = _rows(experiment, world, predicted, shop)
    problem = Problem(
        GramObjective.from_predictions(stack(rows, ids), world.targets.select(ids).rows),
        tuple(member.name for member in experiment.ensemble.members),
        _variants(experiment),
        experiment.config.search,
    )
    judging = experiment.config.score
    return search(
        problem,
        [member.weight for member in experiment.ensemble.members],
        fingerprint(experiment, world, predicted),
        Bootstrap(groups, judging.bootstrap, judging.seed),
        journal,
        experiment.config.name,
    )


def fingerprint(experiment: Experiment, world: World, predicted: Predicted) -> dict[str, Json]:
    """What trials of one study have to agree on: split, target space, predictions, parameters."""
    config = experiment.config.search
    ids = world.splits.ids["holdout"]
    prompts = {record.image_id: record.prompt for record in world.records}
    return {
        "split": content_hash([[name, prompts[name]] for name in ids]),
        "target space": content_hash(world.text_encoder.identity),
        "predictions": {
            name: sketch(batch.embeddings.align(ids))
            for name, batch in predicted.batches["holdout"].items()
        },
        "parameters": content_hash([config.weights, config.bounds, config.space]),
    }


def with_options(
    experiment: Experiment,
    world: World,
    predicted: Predicted,
    found: SearchResult,
    shop: Workshop,
    stages: Stages,
) -> Experiment:
    """The experiment with the options that the search chose; their members predict again."""
    members = [
        revised_member(member, options)
        for member, options in zip(experiment.ensemble.members, found.options, strict=True)
    ]
    ensemble = replace(experiment.ensemble, members=tuple(members))
    revised = replace(experiment, ensemble=ensemble)
    for member, options in zip(members, found.options, strict=True):
        if options:
            predicted.put(*predict_member(revised, world, member, shop, stages))
    return revised


def _variants(experiment: Experiment) -> tuple[Variants, ...]:
    space = experiment.config.search.space
    return tuple(Variants(space.get(member.name, {})) for member in experiment.ensemble.members)


def _rows(
    experiment: Experiment, world: World, predicted: Predicted, shop: Workshop
) -> list[Embeddings]:
    """Every variant's predictions for the holdout, member by member."""
    images = world.images.select(world.splits.ids["holdout"])
    rows: list[Embeddings] = []
    for prepared, variants in zip(predicted.prepared, _variants(experiment), strict=True):
        name = prepared.member.name
        if variants.values:
            rows += predict_variants(prepared, images, variants.options(), shop)
        else:
            rows.append(predicted.batches["holdout"][name].embeddings)
    return rows
