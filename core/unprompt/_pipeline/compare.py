"""Runs that were scored on the same pictures, picture by picture against the first of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from unprompt._config.models import ScoreConfig
from unprompt._data.tables import read_rows, texts
from unprompt._pipeline.cases import TABLE
from unprompt._pipeline.folder import EXPERIMENT
from unprompt._pipeline.pipeline import ENSEMBLE
from unprompt._report.source import read_run
from unprompt._scoring.intervals import Score, score
from unprompt.embeddings import check_distinct
from unprompt.errors import DataError, named
from unprompt.types import DoubleArray, Json

COSINE = "cosine"
"""The column that holds the blend's cosines; each member has one of its own name."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What one predictor of a run reached on test.

    Attributes:
        name: The member, or ``ensemble``.
        score: Mean cosine.
        minus_first: The paired difference to the first run's; None for the first run itself.
    """

    name: str
    score: float
    minus_first: Score | None


@dataclass(frozen=True, slots=True)
class Line:
    """One run of a comparison.

    Attributes:
        folder: As it was given.
        experiment: The experiment's name.
        ensemble: Its blend, against the first run's blend.
        best_member: Its best member on test, against the first run's best.
    """

    folder: Path
    experiment: str
    ensemble: Standing
    best_member: Standing


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs side by side.

    Attributes:
        images: Test pictures, the same of all runs.
        groups: Groups of near-duplicate prompts among them, as the first run has them.
        config: What the intervals were made with: the first run's.
        lines: One per run, in the order given.
    """

    images: int
    groups: int
    config: ScoreConfig
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What is read of a run; tables are keyed by image id."""

    folder: Path
    experiment: str
    text_encoder: str
    prompts: Mapping[str, str]
    groups: Mapping[str, str]
    best: str
    cosines: Mapping[str, Mapping[str, float]]  # column -> image id -> cosine
    config: ScoreConfig


def compare(folders: Sequence[Path]) -> Comparison:
    """Compare finished runs on their test pictures.

    Runs may differ in everything but what is judged: the test pictures, their prompts and the
    text encoder, which together make the targets. The manifest's hashes of data and splits are
    not asked, because they change with pictures that only train sees.

    Args:
        folders: Two or more run folders; the first one is what the others are held against.

    Raises:
        DataError: Fewer than two, one twice, a folder that holds no run or an old one, or runs
            with different test sets.
    """
    if len(folders) < 2:
        raise DataError(f"compare needs two runs or more, not {len(folders)}")
    _check_different(folders)
    runs = [_read(folder) for folder in folders]
    first, config = runs[0], runs[0].config
    for other in runs[1:]:
        _check_same_test(first, other)
    ids = list(first.prompts)
    groups = [first.groups[name] for name in ids]

    def standing(run: _Run, column: str, label: str, against: str) -> Standing:
        values = _column(run, column, ids)
        if run is first:
            return Standing(label, float(values.mean()), None)
        lead = values - _column(first, against, ids)
        versus = score(lead, groups, samples=config.bootstrap, seed=config.seed)
        return Standing(label, float(values.mean()), versus)

    lines = tuple(
        Line(
            run.folder,
            run.experiment,
            standing(run, COSINE, ENSEMBLE, COSINE),
            standing(run, run.best, run.best, first.best),
        )
        for run in runs
    )
    return Comparison(len(ids), len(set(groups)), config, lines)


def _column(run: _Run, column: str, ids: Sequence[str]) -> DoubleArray:
    """Cosines in the order of ``ids``."""
    values = run.cosines[column]
    return np.array([values[name] for name in ids])


def _check_different(folders: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for folder in folders:
        place = folder.resolve()
        if place in seen:
            raise DataError(f"{folder}: the same run twice")
        seen.add(place)


def _check_same_test(first: _Run, other: _Run) -> None:
    """Raise DataError with the first thing in which two test sets differ."""
    both = f"{first.folder} and {other.folder} cannot be compared"
    if first.text_encoder != other.text_encoder:
        raise DataError(
            f"{both}: their text encoders differ ({first.text_encoder}, {other.text_encoder})"
        )
    odd = sorted(first.prompts.keys() ^ other.prompts.keys())
    if odd:
        raise DataError(f"{both}: only one of them has the test pictures {named(odd)}")
    changed = [name for name, prompt in first.prompts.items() if other.prompts[name] != prompt]
    if changed:
        raise DataError(f"{both}: other prompts for the test pictures {named(changed)}")


def _read(folder: Path) -> _Run:
    """Read what a comparison needs.

    Raises:
        DataError: See `compare`.
    """
    run = read_run(folder)
    path = folder / TABLE
    if not path.is_file():
        raise DataError(f"{folder}: an old run without {TABLE}; run its {EXPERIMENT} again")
    best = str(run.test.get("best_member"))
    rows = read_rows(path)
    needed = ("image_id", "prompt", "group", COSINE, best)
    missing = [column for column in needed if column not in rows[0]]
    if missing:
        raise DataError(f"{path}: no column {named(missing)}")
    ids = texts(rows, "image_id", path)
    try:
        check_distinct(ids)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error

    def table(column: str) -> dict[str, str]:
        return dict(zip(ids, texts(rows, column, path), strict=True))

    cosines = {
        column: dict(zip(ids, _numbers(rows, column, path), strict=True))
        for column in (COSINE, best)
    }
    encoder = str(run.manifest.get("text_encoder"))
    config = _score_config(folder, run.experiment)
    return _Run(folder, run.name, encoder, table("prompt"), table("group"), best, cosines, config)


def _numbers(rows: Sequence[dict[str, Json]], column: str, path: Path) -> list[float]:
    """A column of cosines."""
    found: list[float] = []
    for number, text in enumerate(texts(rows, column, path), start=1):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= 1.001:  # a little rounding; no NaN
            raise DataError(f"{path}: row {number}: column {column!r} holds {text!r}, no cosine")
        found.append(value)
    return found


def _score_config(folder: Path, experiment: Mapping[str, Json]) -> ScoreConfig:
    """How a run was judged; the defaults where its experiment does not say."""
    try:
        return ScoreConfig.model_validate(experiment.get("score") or {})
    except ValidationError as error:
        what = error.errors()[0]
        where = ".".join(["score", *map(str, what["loc"])])
        raise DataError(f"{folder / EXPERIMENT}: {where}: {what['msg']}") from error
