"""A run: an experiment executed into a folder that appears only when it is complete."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from unprompt._files.checksums import write_checksums
from unprompt._files.hashing import content_hash
from unprompt._files.refusals import room_needed
from unprompt._masking import masked_command
from unprompt._members.context import Context
from unprompt._members.training import training_notes
from unprompt._pipeline.context import RunContext
from unprompt._pipeline.dataset import open_dataset
from unprompt._pipeline.examples import write_examples
from unprompt._pipeline.folder import reserved_run, runs_folder, write_outcome, write_yaml
from unprompt._pipeline.observers import Observers, in_words
from unprompt._pipeline.pipeline import Outcome, execute
from unprompt._pipeline.study_page import annotate_study
from unprompt._pipeline.timings import Timings, hardware, versions
from unprompt._registry.installs import installed
from unprompt._registry.parts import Experiment
from unprompt._report.build import write_report
from unprompt._runs import files
from unprompt._runs.manifest import Manifest
from unprompt._runs.run import Run, load_run
from unprompt.contracts import RunView


def run_experiment(
    experiment: Experiment, path: Path, output: Path | None, context: Context
) -> Run:
    """Run an experiment from data to scores.

    Args:
        experiment: Checked configuration.
        path: The YAML file that it came from.
        output: The run's folder; by default a new one below ``runs/`` beside ``path``.
        context: Registry, runtime and cache.

    Raises:
        UnpromptError: A user's mistake; no folder is left behind. Where a finished run cannot
            get its name, the line says where it is.
    """
    observers = Observers(experiment, context.registry)
    with reserved_run(experiment, path, output) as reservation:
        target, folder = reservation.target, reservation.folder
        view = RunView(experiment.config.name, folder, experiment.plain())
        try:
            with room_needed(target):
                outcome = _fill(folder, experiment, context, view, observers, path)
            reservation.finish()
        except BaseException as error:
            _tell_failure(observers, view, error)
            raise
    try:
        observers.end(
            "run_finished",
            run=replace(view, folder=target),
            scores=outcome.scores.model_dump(mode="json"),
        )
    except Exception as error:  # whatever a plugin raises
        if target.is_dir():  # a plugin may have removed it
            error.add_note(f"the run itself is complete: {target}")
        raise
    return load_run(target)


def _fill(
    folder: Path,
    experiment: Experiment,
    context: Context,
    view: RunView,
    observers: Observers,
    path: Path,
) -> Outcome:
    """Execute the experiment and write everything into ``folder``."""
    timings = Timings()
    write_yaml(folder / files.EXPERIMENT, experiment.plain())
    observers.start(run=view)
    data = open_dataset(experiment, context, timings)
    runs = runs_folder(experiment, path).parent
    outcome = execute(RunContext(experiment, data, context, timings, view, observers, runs))
    write_outcome(folder, outcome, _manifest(experiment, outcome))
    write_examples(folder, outcome)
    annotate_study(outcome.study, load_run(folder))
    write_report(folder)
    write_checksums(folder, folder / files.CHECKSUMS)
    return outcome


def _tell_failure(observers: Observers, view: RunView, error: BaseException) -> None:
    """Tell observers; their own failure becomes a note, so that it cannot hide the first one."""
    try:
        observers.end("run_failed", run=view, error=error)
    except Exception as second:  # noqa: BLE001  # whatever a plugin raises
        for note in (in_words(second), *getattr(second, "__notes__", ())):
            error.add_note(note)


def _manifest(experiment: Experiment, outcome: Outcome) -> Manifest:
    """What is needed to explain or repeat the numbers.

    Args:
        experiment: As it was asked for; the search may have chosen other options.
        outcome: What the run came to.
    """
    run = outcome.run
    registry = run.context.registry
    prompts = [(record.image_id, record.prompt) for record in run.data.records]
    splits = {name: list(ids) for name, ids in run.data.splits.ids.items()}
    return Manifest(
        command=masked_command(sys.argv),
        experiment_hash=content_hash(experiment.plain()),
        text_encoder=run.data.text_encoder.identity,
        data_hash=content_hash(prompts),
        splits_hash=content_hash(splits),
        members={
            name: content_hash(member.prepared.key)
            for name, member in (outcome.predictions | outcome.reading).items()
        },
        plugins={name: installed(registry.claim(name)) for name in experiment.plugins},
        versions=versions(),
        hardware=hardware(),
        seconds={stage: round(seconds, 3) for stage, seconds in run.timings.seconds.items()},
        notes=training_notes(experiment),
    )
