"""``unprompt search``: the study alone, to be filled from several processes and machines."""

from __future__ import annotations

from pathlib import Path

from unprompt._files.writing import check_writable
from unprompt._members.member import Workshop
from unprompt._pipeline.blending import check_search, search_blend
from unprompt._pipeline.folder import runs_folder, shareable
from unprompt._pipeline.members import predict_members
from unprompt._pipeline.stages import Stages
from unprompt._pipeline.world import open_world
from unprompt._registry.loading import Experiment
from unprompt._search.engine import Found
from unprompt._search.storages import masked
from unprompt.contracts import RunView


def run_search(experiment: Experiment, path: Path, shop: Workshop) -> tuple[Found, str]:
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
