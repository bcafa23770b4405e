"""The one reader of a run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from unprompt._config.models import ScoreConfig
from unprompt._data.metrics import MetricsLine, read_metrics
from unprompt._data.predictions import read_predictions
from unprompt._files import paths
from unprompt._files.checksums import check_files
from unprompt._files.reading import mistake, read_text, read_typed, reading
from unprompt._runs import files
from unprompt._runs.examples import EXAMPLES, Example, ImageRow, read_images
from unprompt._runs.expected import LearnedExpectation, read_expectation
from unprompt._runs.manifest import Manifest
from unprompt._runs.scores import Scores
from unprompt.embeddings import Embeddings
from unprompt.errors import DataError

NEEDED = (files.EXPERIMENT, files.MANIFEST, files.SCORES)

_YAML_LIMIT = 1 << 18
"""Bytes of a run's ``experiment.yaml``; a slow parser reads them."""


class RunData(BaseModel):
    """What a run's ``experiment.yaml`` says of its data."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    plugin: str


class RunExperiment(BaseModel):
    """What readers of a run want to know of its ``experiment.yaml``; the rest is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    data: RunData
    score: ScoreConfig = ScoreConfig()


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: Where its files are.
        scores: ``scores.json``.
        manifest: ``manifest.json``.
        experiment: What ``experiment.yaml`` says of name, data and scoring.
    """

    folder: Path
    scores: Scores
    manifest: Manifest
    experiment: RunExperiment

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.scores.experiment

    @property
    def weights(self) -> Mapping[str, float]:
        """The blend's weights by member; 0 for a member that was dropped."""
        return self.scores.weights

    @property
    def ensemble(self) -> Path:
        """The YAML file of the ensemble, with weights and fitted members."""
        return self.folder / files.ENSEMBLE

    @cached_property
    def images(self) -> tuple[ImageRow, ...]:
        """A row for each test image: prompts, cosines, its group. Raises DataError."""
        return read_images(self.file(files.IMAGES), self.scores.members)

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """The best and worst test images with their evidence. Raises DataError."""
        return read_typed(self.file(files.EXAMPLES), EXAMPLES)

    @cached_property
    def expectation(self) -> LearnedExpectation | None:
        """Which score to expect of a single image; None in runs with too few. Raises DataError."""
        return read_expectation(self.folder)

    def predictions(self, member: str = "ensemble", split: str = "test") -> Embeddings:
        """Unit rows by image id, of shape (N, D).

        Args:
            member: A member's name, or ``ensemble`` for the blend.
            split: ``holdout`` or ``test``.

        Raises:
            DataError: There is no such file, it is broken, or it changed since the run.
        """
        return read_predictions(self.file(files.predictions(member, split)))

    def training(self, member: str) -> tuple[MetricsLine, ...] | None:
        """What a member's training measured, in the order of its steps; None: it did not train.

        Raises:
            DataError: The file is broken, or changed since the run.
        """
        name = files.training_metrics(member)
        if not paths.is_file(self.folder / name):
            return None
        return read_metrics(self.file(name))

    def file(self, name: str) -> Path:
        """A file of the run, checked against the checksums that the run wrote.

        Raises:
            DataError: It is missing, cut or changed since, where the run has checksums.
        """
        check_files(self.folder, [name])
        return self.folder / name


def load_run(folder: Path | str) -> Run:
    """Read a finished run.

    Raises:
        DataError: It is no path, no folder of a finished run, or a file of it is broken or changed
            since; names the file.
    """
    folder = paths.user_path(folder)
    shown = paths.shown(folder)
    if not paths.is_folder(folder):
        raise DataError(f"{shown}: no such folder, so it is no finished run")
    missing = [name for name in NEEDED if not paths.is_file(folder / name)]
    if missing:
        raise DataError(f"{shown}: no {', '.join(missing)} in it, so it is no finished run")
    check_files(folder, NEEDED, needed=True)
    return Run(
        folder=folder,
        scores=read_typed(folder / files.SCORES, TypeAdapter(Scores)),
        manifest=read_typed(folder / files.MANIFEST, TypeAdapter(Manifest)),
        experiment=_read_experiment(folder / files.EXPERIMENT),
    )


def _read_experiment(path: Path) -> RunExperiment:
    text = read_text(path, limit=_YAML_LIMIT)
    with reading(path, yaml.YAMLError):
        content: Any = yaml.safe_load(text)
    try:
        return RunExperiment.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{paths.shown(path)}: {mistake(error)}") from error
