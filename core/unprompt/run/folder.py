"""A run's folder: where it lies and what is written into it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path

import yaml

from unprompt.assembly import Experiment
from unprompt.cache import copy_folder
from unprompt.contracts import Batch
from unprompt.data.predictions import write_predictions
from unprompt.errors import OutputError
from unprompt.files import content_hash, write_json, write_text
from unprompt.run.pipeline import Outcome
from unprompt.search.storages import masked
from unprompt.types import Json

EXPERIMENT, MANIFEST, SCORES, WEIGHTS = (
    "experiment.yaml",
    "manifest.json",
    "scores.json",
    "weights.yaml",
)


def shareable(experiment: Experiment) -> dict[str, Json]:
    """The experiment as a run keeps it and hooks see it: runs are mailed, passwords are not."""
    plain = experiment.plain()
    search = plain["search"]
    if search["storage"]:
        plain["search"] = search | {"storage": masked(search["storage"])}
    return plain


def run_folder(experiment: Experiment, path: Path, output: Path | None) -> Path:
    """Where a run goes: ``output``, or ``runs/<experiment>/<run-id>`` beside the experiment file.

    The run id is the time (UTC) and a hash of the resolved configuration, so that ids sort by time
    and equal experiments are seen at a glance.

    Raises:
        OutputError: ``output`` exists and is not an empty folder.
    """
    if output is None:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
        digest = content_hash(shareable(experiment))[:8]
        return _free(runs_folder(experiment, path) / f"{now}-{digest}")
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise OutputError(f"{output}: exists already; choose another --output or remove it")
    return output.absolute()


def runs_folder(experiment: Experiment, path: Path) -> Path:
    """Where all runs of an experiment lie: ``runs/<experiment>`` beside its YAML file."""
    return path.absolute().parent / "runs" / experiment.config.name


def _free(path: Path) -> Path:
    """``path``, or with a number behind it where two runs start in one second."""
    number = 2
    free = path
    while free.exists():
        free = path.with_name(f"{path.name}-{number}")
        number += 1
    return free


def write_outcome(folder: Path, outcome: Outcome, manifest: Mapping[str, Json]) -> None:
    """Write everything but the study, which is there already."""
    for prepared in outcome.prepared:
        copy_folder(prepared.artifact, folder / "artifacts" / prepared.member.name)
    for split, batches in outcome.predictions.items():
        for name, batch in batches.items():
            _write_batch(folder / "predictions" / f"{name}.{split}.parquet", batch)
    write_yaml(folder / WEIGHTS, weights_yaml(outcome), HEADER)
    write_json(folder / SCORES, outcome.scores)
    write_json(folder / MANIFEST, manifest)


HEADER = (
    "# Searched weights and fitted members: an ensemble that can be used as it is, such as\n"
    "# `unprompt predict weights.yaml pictures/ --output predictions.jsonl`.\n"
)


def weights_yaml(outcome: Outcome) -> dict[str, Json]:
    """The ensemble with weights and options found, artifacts beside it, dropped members left out."""
    plain = outcome.experiment.ensemble.plain()
    for member, weight in zip(plain["members"], outcome.found.weights, strict=True):
        member |= {"weight": weight, "artifact": f"artifacts/{member['name']}"}
    dropped = outcome.found.summary.dropped
    plain["members"] = [one for one in plain["members"] if one["name"] not in dropped]
    return plain


def write_yaml(path: Path, content: Json, header: str = "") -> None:
    """Write plain data as YAML, keys in their order."""
    write_text(path, header + yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _write_batch(path: Path, batch: Batch) -> None:
    write_predictions(path, "parquet", batch)
