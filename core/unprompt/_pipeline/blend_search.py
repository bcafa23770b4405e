"""The search of one experiment: from members' held-out predictions to weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt._files.hashing import content_hash
from unprompt._members.member import changed_member
from unprompt._pipeline.context import RunContext
from unprompt._pipeline.members import MemberPredictions, predict_member
from unprompt._scoring.blend import stack
from unprompt._search.engine import SearchResult, search
from unprompt._search.fingerprint import sketch
from unprompt._search.objective import GramObjective
from unprompt._search.problem import Problem, Variants
from unprompt._search.storages import in_use, label, open_storage
from unprompt._search.study import check_study
from unprompt.embeddings import Embeddings
from unprompt.errors import ConfigError, DataError
from unprompt.types import PlainData

if TYPE_CHECKING:
    import optuna


MOST_MEMORY = 2**31
"""Bytes of the products that a search over options keeps."""


def check_search(run: RunContext, journal: Path) -> None:
    """Find out before hours of predicting what would stop the search after them.

    Args:
        run: The experiment and its data.
        journal: Where the study is kept unless the search block says otherwise.

    Raises:
        DataError: The holdout is a single group: any weights would fit it.
        ConfigError: The storage or the study in it cannot be used, two parts of the block exclude
            each other, or there are too many variants.
    """
    search, splits = run.experiment.config.search, run.data.splits
    if splits.group_count("holdout") < 2:
        raise DataError(
            f"the holdout's {len(splits.ids['holdout'])} images are one group of near-duplicate "
            "prompts: weights chosen on it mean nothing; add data, or raise "
            "data.split.group_cosine"
        )
    if search.folds and search.space:
        raise ConfigError("search.space: cannot be used together with search.folds")
    if search.folds:
        run.data.folds(search.folds, search.seed)
    _check_memory(run)
    if search.storage or journal.exists():
        storage = search.storage or str(journal)
        pooled = replace(run, data=run.data.pooled()) if search.folds else run
        with in_use(storage):
            name = search.study or run.experiment.config.name
            check_study(open_storage(storage), name, _known_before(pooled), label(storage))


def _check_memory(run: RunContext) -> None:
    """Refuse a search over options whose products of pairs of variants would not fit memory."""
    space, images = run.experiment.config.search.space, len(run.data.splits.ids["holdout"])
    rows = sum(len(Variants(space.get(name, {}))) for name in run.members)
    size = 8 * images * rows * (rows + 1) // 2  # of GramObjective.gram
    if size > MOST_MEMORY:
        raise ConfigError(
            f"search.space: {rows} variants of members on {images} images need "
            f"{size / 2**30:.1f} GiB of memory; {MOST_MEMORY / 2**30:.0f} GiB are the limit: "
            "leave out some values"
        )


def search_blend(
    run: RunContext,
    predictions: Mapping[str, MemberPredictions],
    journal: Path,
    *,
    shared: bool = False,
) -> tuple[SearchResult, optuna.Study]:
    """Search weights and cheap options on held-out predictions.

    Args:
        run: The experiment and its data; with folds, the pooled one.
        predictions: Every member's, for ``holdout``.
        journal: Where the study is kept unless the search block says otherwise.
        shared: Whether other commands may fill that journal, too.

    Raises:
        ConfigError: The storage or the study cannot be used.
        OutputError: The storage was locked, full, or could not be reached any more.
    """
    config = run.experiment.config
    ids = run.data.splits.ids["holdout"]
    problem = Problem(
        GramObjective.from_predictions(
            stack(_rows(predictions), ids), run.data.targets.select(ids).rows
        ),
        tuple(run.members),
        tuple(Variants(config.search.space.get(name, {})) for name in run.members),
        config.search,
    )
    return search(
        problem,
        [member.weight for member in run.experiment.members],
        fingerprint(run, predictions),
        run.intervals("holdout"),
        journal,
        config.name,
        shared=shared,
    )


def fingerprint(
    run: RunContext, predictions: Mapping[str, MemberPredictions]
) -> dict[str, PlainData]:
    """What trials of one study have to agree on: split, target space, predictions, parameters."""
    ids = run.data.splits.ids["holdout"]
    sketches = {
        name: sketch(member.batches["holdout"].embeddings.align(ids))
        for name, member in predictions.items()
    }
    return _known_before(run) | {"predictions": sketches}


def _known_before(run: RunContext) -> dict[str, PlainData]:
    """The parts of a fingerprint that are known before members predict."""
    config = run.experiment.config.search
    prompts = run.data.prompts
    ids = run.data.splits.ids["holdout"]
    return {
        "split": content_hash([[name, prompts[name]] for name in ids]),
        "target space": content_hash(run.data.text_encoder.identity),
        "parameters": content_hash([config.weights, config.bounds, config.space]),
    }


def with_options(
    run: RunContext, predictions: Mapping[str, MemberPredictions], result: SearchResult
) -> tuple[RunContext, dict[str, MemberPredictions]]:
    """The run with the options that the search chose; members that they change predict again."""
    chosen = dict(zip(run.members, result.options, strict=True))
    members = tuple(
        changed_member(member, chosen.get(member.name, {}))
        for member in run.experiment.ensemble.members
    )
    ensemble = replace(run.experiment.ensemble, members=members)
    changed = replace(run, experiment=replace(run.experiment, ensemble=ensemble))
    again = {
        member.name: predict_member(changed, member)
        for member in members
        if chosen.get(member.name)
    }
    return changed, {**predictions, **again}


def _rows(predictions: Mapping[str, MemberPredictions]) -> list[Embeddings]:
    """Every variant's predictions for the holdout, member by member."""
    return [
        embeddings
        for member in predictions.values()
        for embeddings in member.variants or (member.batches["holdout"].embeddings,)
    ]
