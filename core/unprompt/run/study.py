"""``unprompt search``: the study alone, to be filled from several processes and machines."""

from __future__ import annotations

from pathlib import Path

from unprompt.assembly import Experiment
from unprompt.contracts import RunView
from unprompt.files import check_writable
from unprompt.predict import Workshop
from unprompt.run.blending import check_search, search_blend
from unprompt.run.folder import runs_folder, shareable
from unprompt.run.members import predict_members
from unprompt.run.stages import Stages
from unprompt.run.world import open_world
from unprompt.search.engine import SearchResult
from unprompt.search.storages import masked


def run_search(experiment: Experiment, path: Path, shop: Workshop) -> tuple[SearchResult, str]:
    """Predict the holdout and fill the experiment's study.

    Args:
        experiment: Checked configuration.
        path: The YAML file that it came from.
        shop: Registry, runtime and cache.

    Returns:
        What was found, and where the study lives, for people.

    Raises:
        UnpromptError: A user's mistake.
    """
    folder = runs_folder(experiment, path)
    journal = folder / "study.journal"
    if experiment.config.search.storage is None:
        check_writable(journal)
        folder.mkdir(parents=True, exist_ok=True)
    stages, view = Stages(), RunView(experiment.config.name, folder, shareable(experiment))
    world = open_world(experiment, shop, stages)
    check_search(experiment, world)
    predicted = predict_members(experiment, world, view, shop, stages, ("holdout",))
    if experiment.config.search.folds:
        world = world.pooled()
    found, _ = search_blend(experiment, world, predicted, shop, journal)
    return found, masked(experiment.config.search.storage or str(journal))
