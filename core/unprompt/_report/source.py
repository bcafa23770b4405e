"""What a run's folder holds, read once; everything that a run may lack is None or empty here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from unprompt._data.tables import read_rows
from unprompt._report.numbers import mapping
from unprompt.errors import DataError
from unprompt.types import Json

NEEDED = ("experiment.yaml", "manifest.json", "scores.json")


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A finished run.

    Attributes:
        folder: Where its files are.
        scores: ``scores.json``.
        manifest: ``manifest.json``.
        experiment: ``experiment.yaml``, resolved.
        cosines: The blend's cosine of each test picture, as ``pictures.csv`` says; None where
            there is no such file.
        cases: ``cases.json``: the pictures of the contact sheet.
    """

    folder: Path
    scores: Mapping[str, Json]
    manifest: Mapping[str, Json]
    experiment: Mapping[str, Json]
    cosines: tuple[float | None, ...] | None
    cases: Sequence[Mapping[str, Json]]

    @property
    def members(self) -> tuple[str, ...]:
        """The members' names, in the order of the ensemble."""
        return tuple(self.test["members"])

    @property
    def name(self) -> str:
        """The experiment's name."""
        return str(self.scores.get("experiment") or self.experiment.get("name") or "experiment")

    @property
    def test(self) -> Mapping[str, Json]:
        """What ``scores.json`` says of the test split."""
        return mapping(self.scores["test"])

    def split(self, name: str) -> Mapping[str, Json]:
        """What it says of ``train``, ``holdout`` or ``test``; empty where it says nothing."""
        return mapping(self.scores.get(name))

    def part(self, name: str) -> Mapping[str, Json]:
        """A map of ``scores.json`` that a run may lack; empty then."""
        return mapping(self.scores.get(name))


def read_run(folder: Path) -> Run:
    """Read a run's folder.

    Raises:
        DataError: It is no folder of a finished run, or a file of it is broken; names the file.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder, so it is no finished run")
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{folder}: no {', '.join(missing)} in it, so it is no finished run")
    scores = _map(folder / "scores.json")
    test = mapping(scores.get("test"))
    if not mapping(test.get("members")) or "ensemble" not in test:
        raise DataError(
            f"{folder / 'scores.json'}: no scores of members and ensemble under `test`, "
            "so it is not the scores of a run"
        )
    return Run(
        folder=folder,
        scores=scores,
        manifest=_map(folder / "manifest.json"),
        experiment=_experiment(folder / "experiment.yaml"),
        cosines=_cosines(folder / "pictures.csv"),
        cases=_cases(folder / "cases.json"),
    )


def _map(path: Path) -> Mapping[str, Json]:
    content = _json(path)
    if not isinstance(content, dict):
        raise DataError(f"{path}: should be a map, not {type(content).__name__}")
    return content


def _json(path: Path) -> Json:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _experiment(path: Path) -> Mapping[str, Json]:
    try:
        return mapping(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error


def _cosines(path: Path) -> tuple[float | None, ...] | None:
    """The column ``cosine``; what is no finite number in it is None."""
    if not path.is_file():
        return None
    rows = read_rows(path)
    if "cosine" not in rows[0]:
        raise DataError(f"{path}: no column `cosine`")
    return tuple(_finite(row["cosine"]) for row in rows)


def _finite(text: Json) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if abs(value) <= 1.001 else None  # a cosine, with a little rounding; no NaN


def _cases(path: Path) -> Sequence[Mapping[str, Json]]:
    if not path.is_file():
        return ()
    content = _json(path)
    if not isinstance(content, list) or not all(isinstance(case, dict) for case in content):
        raise DataError(f"{path}: should be a list of maps")
    return content
