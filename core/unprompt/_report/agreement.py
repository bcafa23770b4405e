"""How alike the members predict: the mean cosine between each two, on the test images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unprompt._runs import files
from unprompt._runs.run import Run
from unprompt._runs.scores import ENSEMBLE
from unprompt.embeddings import Embeddings, cosine
from unprompt.errors import DataError


@dataclass(frozen=True, slots=True)
class Cell:
    """A pair's mean cosine.

    Attributes:
        value: In -1..1; None where they have no image in common.
        shade: 0 for the pair that agrees least, 100 for the one that agrees most.
    """

    value: float | None
    shade: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """A square table.

    Attributes:
        names: Of rows and columns: the members, then the blend.
        rows: The cells, row by row; None for a prediction with itself.
        alike: The two members that agree most, with their mean cosine; None where no two answer
            for the same image.
        apart: The two that agree least.
        partial: Whether some member has no answer for some image: then each cosine is over the
            images that both answer for.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[Cell | None, ...], ...]
    alike: tuple[str, str, float] | None
    apart: tuple[str, str, float] | None
    partial: bool


def agreement(run: Run) -> Agreement | None:
    """Compare predictions, joined by id; None with one member.

    Raises:
        DataError: A file of predictions is missing or broken, or two are of different images.
    """
    members = run.scores.members
    if len(members) < 2:
        return None
    names = (*members, ENSEMBLE)
    predictions = {name: run.predictions(name) for name in names}
    mean = {
        (a, b): _mean(a, b, predictions, run) for i, a in enumerate(names) for b in names[i + 1 :]
    }
    known = {pair: value for pair, value in mean.items() if value is not None}
    low, high = min(known.values(), default=0.0), max(known.values(), default=0.0)

    def cell(a: str, b: str) -> Cell | None:
        if a == b:
            return None
        value = mean[a, b] if (a, b) in mean else mean[b, a]
        if value is None:
            return Cell(None, 0)
        return Cell(value, round(100 * (value - low) / (high - low)) if high > low else 50)

    ordered = sorted(
        (value, min(pair), max(pair)) for pair, value in known.items() if ENSEMBLE not in pair
    )
    alike, apart = (
        ((a, b, value) for value, a, b in (ordered[-1], ordered[0])) if ordered else (None, None)
    )
    return Agreement(
        names=(*members, "blend"),
        rows=tuple(tuple(cell(a, b) for b in names) for a in names),
        alike=alike,
        apart=apart,
        partial=not all(rows.answered.all() for rows in predictions.values()),
    )


def _mean(a: str, b: str, predictions: Mapping[str, Embeddings], run: Run) -> float | None:
    """Over the images that both have an answer for; None of none."""
    rows, others = predictions[a], predictions[b]
    try:
        aligned = others.align(rows.ids)
    except DataError as error:
        where = f"{run.folder / files.predictions(a, 'test')} and {b}.test.parquet"
        raise DataError([f"{where}: {problem}" for problem in error.problems]) from error
    both = rows.answered & aligned.answered
    return float(cosine(rows.rows, aligned.rows)[both].mean()) if both.any() else None
