"""A search alone: the study, to be filled from several processes and machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from unprompt._files.writing import check_writable
from unprompt._members.context import Context
from unprompt._pipeline.blend_search import check_search, search_blend
from unprompt._pipeline.context import RunContext
from unprompt._pipeline.dataset import open_dataset
from unprompt._pipeline.folder import runs_folder
from unprompt._pipeline.members import predict_members
from unprompt._pipeline.study_page import annotate_search
from unprompt._pipeline.timings import Timings
from unprompt._registry.parts import Experiment
from unprompt._runs import files
from unprompt._search.engine import SearchResult
from unprompt._search.storages import masked
from unprompt.contracts import RunView
from unprompt.types import PlainData


@dataclass(frozen=True, slots=True)
class FilledStudy:
    """What a search came to.

    Attributes:
        result: Weights, chosen options and the study's summary.
        weights: Member -> weight of the blend; 0 for one that reads prompts from files and takes
            no part.
        options: Member -> the options that the search chose, for members whose options it searched.
        storage: Where the study lives, for people.
    """

    result: SearchResult
    weights: Mapping[str, float]
    options: Mapping[str, Mapping[str, PlainData]]
    storage: str


def run_search(experiment: Experiment, path: Path, context: Context) -> FilledStudy:
    """Predict the holdout and fill the experiment's study.

    Args:
        experiment: Checked configuration.
        path: The YAML file that it came from.
        context: Registry, runtime and cache.

    Raises:
        UnpromptError: A user's mistake.
    """
    folder = runs_folder(experiment, path)
    journal = folder / files.STUDY
    storage = experiment.config.search.storage
    if storage is None:
        check_writable(journal)
        folder.mkdir(parents=True, exist_ok=True)
    timings, view = Timings(), RunView(experiment.config.name, folder, experiment.plain())
    data = open_dataset(experiment, context, timings)
    run = RunContext(experiment, data, context, timings, view, runs=folder.parent)
    check_search(run, journal)
    predictions = predict_members(run, experiment.members, ("holdout",))
    if experiment.config.search.folds:
        run = replace(run, data=data.pooled())
    result, study = search_blend(run, predictions, journal, shared=True)
    filled = FilledStudy(
        result,
        dict.fromkeys((member.name for member in experiment.ensemble.members), 0.0)
        | dict(zip(run.members, result.weights, strict=True)),
        {n: dict(chosen) for n, chosen in zip(run.members, result.options, strict=True) if chosen},
        masked(storage or str(journal)),
    )
    sizes = {split: len(run.data.splits.ids[split]) for split in ("train", "holdout")}
    annotate_search(study, filled, sizes)
    return filled
