"""How alike the members predict: the mean cosine between each two, on the test pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unprompt._data.predictions import read_predictions
from unprompt._report.source import Run
from unprompt.embeddings import Embeddings, cosine
from unprompt.errors import DataError

BLEND = "ensemble"


@dataclass(frozen=True, slots=True)
class Cell:
    """A pair's mean cosine.

    Attributes:
        value: In -1..1.
        shade: 0 for the pair that agrees least, 100 for the one that agrees most.
        own: Whether it is a member with itself.
    """

    value: float
    shade: int
    own: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """A square table.

    Attributes:
        names: Of rows and columns; the blend is the last, where the run holds its predictions.
        rows: The cells, row by row.
        alike: The two members that agree most, with their mean cosine.
        apart: The two that agree least.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    alike: tuple[str, str, float]
    apart: tuple[str, str, float]


def agreement(run: Run) -> Agreement | None:
    """Compare predictions, joined by id; None with one member or where a file is not there.

    Raises:
        DataError: A file of predictions is broken, or two are of different pictures.
    """
    names = list(run.members)
    paths = {name: _path(run.folder, name) for name in [*names, BLEND]}
    if len(names) < 2 or not all(paths[name].is_file() for name in names):
        return None
    if paths[BLEND].is_file():
        names.append(BLEND)
    read = {name: read_predictions(paths[name]) for name in names}
    mean = {(a, b): _mean(a, b, read, run.folder) for i, a in enumerate(names) for b in names[:i]}
    mean |= {(b, a): value for (a, b), value in mean.items()}
    low, high = min(mean.values()), max(mean.values())

    def cell(a: str, b: str) -> Cell:
        if a == b:
            return Cell(1.0, 0, True)
        value = mean[a, b]
        return Cell(value, round(100 * (value - low) / (high - low)) if high > low else 50, False)

    members = sorted(
        (value, a, b) for (a, b), value in mean.items() if a < b and BLEND not in (a, b)
    )
    apart, alike = members[0], members[-1]
    return Agreement(
        names=tuple("blend" if name == BLEND else name for name in names),
        rows=tuple(tuple(cell(a, b) for b in names) for a in names),
        alike=(alike[1], alike[2], alike[0]),
        apart=(apart[1], apart[2], apart[0]),
    )


def _path(folder: Path, name: str) -> Path:
    return folder / "predictions" / f"{name}.test.parquet"


def _mean(a: str, b: str, read: dict[str, Embeddings], folder: Path) -> float:
    one, other = read[a], read[b]
    try:
        return float(cosine(one.rows, other.align(one.ids).rows).mean())
    except DataError as error:
        where = f"{_path(folder, a)} and {_path(folder, b).name}"
        raise DataError([f"{where}: {problem}" for problem in error.problems]) from error
