"""``unprompt run``: execute an experiment into a folder that appears only when it is complete."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from unprompt.assembly import Experiment
from unprompt.contracts import RunView
from unprompt.errors import PluginError
from unprompt.files import content_hash, replacing_folder
from unprompt.predict import Workshop
from unprompt.report.build import write_report
from unprompt.run.cases import write_cases
from unprompt.run.folder import EXPERIMENT, run_folder, shareable, write_outcome, write_yaml
from unprompt.run.pipeline import Outcome, execute
from unprompt.run.stages import Stages, hardware, versions
from unprompt.run.watching import dress
from unprompt.run.world import World, open_world
from unprompt.search.storages import masked
from unprompt.types import Json


def run_experiment(
    experiment: Experiment, path: Path, output: Path | None, shop: Workshop
) -> tuple[Path, dict[str, Json]]:
    """Run an experiment from data to scores.

    Args:
        experiment: Checked configuration.
        path: The YAML file that it came from.
        output: The run's folder; by default a new one below ``runs/`` beside ``path``.
        shop: Registry, runtime and cache.

    Returns:
        The run's folder, and the content of its ``scores.json``.

    Raises:
        UnpromptError: A user's mistake; no folder is left behind.
    """
    target = run_folder(experiment, path, output)
    stages = Stages()
    with replacing_folder(target) as folder:
        plain = shareable(experiment)
        view = RunView(experiment.config.name, folder, plain)
        write_yaml(folder / EXPERIMENT, plain)
        try:
            shop.registry.notify(experiment.plugins, "unprompt_run_started", run=view)
            world = open_world(experiment, shop, stages)
            outcome = execute(experiment, world, view, shop, stages)
            manifest = _manifest(experiment, world, outcome, shop, stages)
            write_outcome(folder, outcome, manifest)
            write_cases(folder, outcome)
            dress(outcome.study, folder, outcome.scores, manifest)
            write_report(folder)
        except BaseException as error:
            _tell_failure(experiment, view, shop, error)
            raise
    final = replace(view, folder=target)
    try:
        shop.registry.notify(
            experiment.plugins, "unprompt_run_finished", run=final, scores=outcome.scores
        )
    except PluginError as error:
        error.add_note(f"the run itself is complete: {target}")
        raise
    return target, outcome.scores


def _tell_failure(
    experiment: Experiment, view: RunView, shop: Workshop, error: BaseException
) -> None:
    """Call the hook; its own failure becomes a note, so that it cannot hide the first one."""
    try:
        shop.registry.notify(experiment.plugins, "unprompt_run_failed", run=view, error=error)
    except PluginError as second:
        error.add_note(str(second))


def _manifest(
    experiment: Experiment, world: World, outcome: Outcome, shop: Workshop, stages: Stages
) -> dict[str, Json]:
    """What is needed to explain or repeat the numbers."""
    claims = [shop.registry.claim(name) for name in experiment.plugins]
    prompts = [(record.image_id, record.prompt) for record in world.records]
    return {
        "command": [masked(word) for word in sys.argv],
        "experiment_hash": content_hash(shareable(experiment)),
        "text_encoder": world.text_encoder.identity,
        "data_hash": content_hash(prompts),
        "splits_hash": content_hash({name: list(ids) for name, ids in world.splits.ids.items()}),
        "members": {one.member.name: content_hash(one.key) for one in outcome.prepared},
        "plugins": {claim.name: claim.owner for claim in claims},
        "versions": versions(),
        "hardware": hardware(),
        "seconds": {stage: round(seconds, 3) for stage, seconds in stages.seconds.items()},
    }
