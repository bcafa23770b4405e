"""The one reader of a run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from unprompt._config.models import ScoreConfig
from unprompt._data.predictions import read_predictions
from unprompt._runs import files
from unprompt._runs.examples import EXAMPLES, Example, ImageRow, read_images
from unprompt._runs.expected import LearnedExpectation, read_expectation
from unprompt._runs.manifest import Manifest
from unprompt._runs.scores import Scores
from unprompt.embeddings import Embeddings
from unprompt.errors import DataError, first_line

T = TypeVar("T")

NEEDED = (files.EXPERIMENT, files.MANIFEST, files.SCORES)


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
        return read_images(self.folder / files.IMAGES, self.scores.members)

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """The best and worst test images with their evidence. Raises DataError."""
        return _read_json(self.folder / files.EXAMPLES, EXAMPLES)

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
            DataError: There is no such file, or it is broken.
        """
        return read_predictions(self.folder / files.predictions(member, split))


def load_run(folder: Path | str) -> Run:
    """Read a finished run.

    Raises:
        DataError: It is no folder of a finished run, or a file of it is broken; names the file.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder, so it is no finished run")
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{folder}: no {', '.join(missing)} in it, so it is no finished run")
    return Run(
        folder=folder,
        scores=_read_json(folder / files.SCORES, TypeAdapter(Scores)),
        manifest=_read_json(folder / files.MANIFEST, TypeAdapter(Manifest)),
        experiment=_read_experiment(folder / files.EXPERIMENT),
    )


def _read_json(path: Path, content: TypeAdapter[T]) -> T:
    try:
        return content.validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(f"{path}: {_mistake(error)}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {first_line(error)}") from error


def _read_experiment(path: Path) -> RunExperiment:
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return RunExperiment.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{path}: {_mistake(error)}") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error


def _mistake(error: ValidationError) -> str:
    """The first thing that is wrong, with its path, and how many more there are."""
    mistakes = error.errors(include_url=False, include_context=False, include_input=False)
    where = ".".join(map(str, mistakes[0]["loc"]))
    text = f"{where}: {mistakes[0]['msg']}" if where else mistakes[0]["msg"]
    return text if len(mistakes) == 1 else f"{text} (and {len(mistakes) - 1} more)"
