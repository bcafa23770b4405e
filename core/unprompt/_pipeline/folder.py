"""A run's folder: where it lies and what is written into it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import yaml

from unprompt._config.location import is_packaged
from unprompt._data.predictions import write_predictions
from unprompt._data.space import TextSpace
from unprompt._files.cache import copy_folder
from unprompt._files.hashing import content_hash
from unprompt._files.paths import absolute, working_folder
from unprompt._files.reserving import Reservation, reserved_folder
from unprompt._files.writing import write_json, write_text
from unprompt._pipeline.expected import fields_of
from unprompt._pipeline.pipeline import Outcome
from unprompt._registry.parts import Experiment
from unprompt._runs import files
from unprompt._runs.manifest import Manifest
from unprompt._runs.scores import ENSEMBLE
from unprompt.types import Json


@contextmanager
def reserved_run(experiment: Experiment, path: Path, output: Path | None) -> Iterator[Reservation]:
    """Where a run goes: ``output``, or ``<run-id>`` in the experiment's `runs_folder`.

    The run id is the time (UTC) and a hash of the resolved configuration, so that ids sort by time
    and equal experiments are seen at a glance; two that start in one second get numbers. What
    makes a folder a finished run appears in it last.

    Raises:
        OutputError: ``output`` exists and is not an empty folder, is another run's by now, or
            cannot be written.
    """
    if output is None:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
        digest = content_hash(experiment.plain())[:8]
        target = runs_folder(experiment, path) / f"{now}-{digest}"
    else:
        target = absolute(output)
    last = (files.ENSEMBLE, files.SCORES, files.CHECKSUMS, files.MANIFEST)
    with reserved_folder(target, numbered=output is None, last=last) as reservation:
        yield reservation


def runs_folder(experiment: Experiment, path: Path) -> Path:
    """Where all runs of an experiment lie: ``runs/<experiment>`` beside its YAML file.

    Of a file in an installed package, which may be write-protected and goes with the package, they
    lie in the working directory.
    """
    folder = working_folder() if is_packaged(path) else absolute(path).parent
    return folder / "runs" / experiment.config.name


_HEADER = (
    "# {what}: an ensemble that can be used as it is, such as\n"
    "# `unprompt predict ensemble.yaml images/ --output predictions.jsonl`.\n"
)


def write_outcome(folder: Path, outcome: Outcome, manifest: Manifest) -> None:
    """Write everything but the study, which is there already."""
    encoder = outcome.run.experiment.ensemble.text_encoder
    space = TextSpace(**encoder.plain(), identity=outcome.run.data.text_encoder.identity)
    for name, member in (outcome.predictions | outcome.reading).items():
        copy_folder(member.prepared.artifact, folder / files.ARTIFACTS / name)
        for split, batch in member.batches.items():
            predicted = replace(batch, features=None)  # large, and no result
            path = folder / files.predictions(name, split)
            write_predictions(path, "parquet", predicted, space=space)
    for split, blended in outcome.blended.items():
        path = folder / files.predictions(ENSEMBLE, split)
        fields = dict(blended.fields)
        if outcome.expectation and split == "test":
            fields |= fields_of(outcome.expectation.test, blended.batch.embeddings.ids)
        write_predictions(path, "parquet", blended.batch, fields, space)
    if outcome.expectation:
        outcome.expectation.learned.write(folder)
    write_ensemble(folder, ensemble_yaml(outcome), "Searched weights and fitted members")
    write_json(folder / files.SCORES, outcome.scores.model_dump(mode="json"))
    write_json(folder / files.MANIFEST, manifest.model_dump(mode="json"))


def ensemble_yaml(outcome: Outcome) -> dict[str, Json]:
    """The ensemble with its weights and options, artifacts beside it, without dropped members.

    Members that read prompts from files and took no part have weight 0.
    """
    ensemble = outcome.run.experiment.ensemble.plain()
    weights = outcome.scores.weights
    for member in ensemble["members"]:
        name = member["name"]
        member |= {"weight": weights.get(name, 0.0), "artifact": f"{files.ARTIFACTS}/{name}"}
    dropped = outcome.result.summary.dropped
    ensemble["members"] = [entry for entry in ensemble["members"] if entry["name"] not in dropped]
    return ensemble


def write_ensemble(folder: Path, ensemble: Json, what: str) -> None:
    """Write an ensemble beside its artifacts; its first line says what it is."""
    write_yaml(folder / files.ENSEMBLE, ensemble, _HEADER.format(what=what))


def write_yaml(path: Path, content: Json, header: str = "") -> None:
    """Write plain data as YAML, keys in their order."""
    write_text(path, header + yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
