"""Single images of the test split: the examples of the contact sheet, and a row for every image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from unprompt._data.origin import COLUMN, Origin, as_origin
from unprompt._data.tables import read_table
from unprompt._scoring.estimate import Result
from unprompt.embeddings import check_distinct
from unprompt.errors import DataError, named


class ExampleEvidence(Result):
    """One readable reason for a prediction; see `unprompt.Evidence`."""

    text: str
    score: float
    kind: str


class Example(Result):
    """One of the best or worst test images.

    Attributes:
        image_id: Which.
        kind: Whether it was predicted best or worst.
        image: Its file in the run's folder.
        prompt: The true one.
        predicted: The readable guess, or what was read; None where no member has words for it.
        readback: The cosine of the guess's embedding with the blend's row; None without a guess.
        composed: Whether the guess is put together from parts of several texts.
        cosine: The blend's, with the true prompt; 0 where nobody has an answer.
        members: Each member's cosine; None where it has no answer.
        origin: Whether the prompt is predicted, read from the file, or nobody has an answer.
        evidence: Member -> its reasons, best first; members of weight 0 give none.
    """

    image_id: str
    kind: Literal["best", "worst"]
    image: str
    prompt: str
    predicted: str | None
    readback: float | None
    composed: bool
    cosine: float
    members: Mapping[str, float | None]
    evidence: Mapping[str, tuple[ExampleEvidence, ...]]
    origin: Origin = "predicted"


EXAMPLES = TypeAdapter(tuple[Example, ...])
"""Reads and writes ``examples.json``."""

COLUMNS = ("image_id", "prompt", "predicted", "readback", "composed", "cosine", "group")
"""Of ``images.csv``; then `ORIGIN`, `SUBSET`, and a column of cosines for each member."""
ORIGIN = COLUMN
"""The column that tables of older runs lack: nothing was read from files there."""
SUBSET = "subset"
"""Likewise: their images are in no subset."""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """A row of ``images.csv``.

    Attributes:
        image_id: Distinct in the table.
        prompt: The true one.
        predicted: The readable guess, or what was read; empty where there is none.
        readback: The cosine of the guess's embedding with the blend's row; None without a guess.
        composed: Whether the guess is put together from parts of several texts.
        cosine: The blend's; 0 where nobody has an answer.
        group: Of near-duplicate prompts.
        members: Each member's cosine; None, an empty cell, where it has no answer.
        origin: Whether the prompt is predicted, read from the file, or nobody has an answer.
        subset: The one that the dataset names; None, an empty cell, where it names none.
    """

    image_id: str
    prompt: str
    predicted: str
    readback: float | None
    composed: bool
    cosine: float
    group: str
    members: Mapping[str, float | None]
    origin: Origin = "predicted"
    subset: str | None = None


def read_images(path: Path, members: Sequence[str]) -> tuple[ImageRow, ...]:
    """Read ``images.csv``.

    Raises:
        DataError: It is missing or broken, lacks a column, repeats an id, or holds something that
            is no cosine, or no yes or no; names the row.
    """
    table = read_table(path)
    missing = [column for column in (*COLUMNS, *members) if column not in table.columns]
    if missing:
        raise DataError(f"{path}: no column {named(missing)}")
    ids = table.texts("image_id")
    try:
        check_distinct(ids)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return tuple(
        ImageRow(
            image_id=str(row["image_id"]),
            prompt=str(row["prompt"]),
            predicted=str(row["predicted"]),
            readback=_cosine(row, "readback", number, path) if row["readback"] else None,
            composed=_truth(row, "composed", number, path),
            cosine=_cosine(row, "cosine", number, path),
            group=str(row["group"]),
            members={
                name: None if row[name] == "" else _cosine(row, name, number, path)
                for name in members
            },
            origin=as_origin(row[ORIGIN], f"{path}: row {number}: column {ORIGIN!r}")
            if ORIGIN in table.columns
            else "predicted",
            subset=str(row[SUBSET]) or None if SUBSET in table.columns else None,
        )
        for number, row in enumerate(table.rows, start=1)
    )


def _truth(row: Mapping[str, object], column: str, number: int, path: Path) -> bool:
    if row[column] not in ("yes", "no"):
        raise DataError(f"{path}: row {number}: column {column!r} holds {row[column]!r}, no yes/no")
    return row[column] == "yes"


def _cosine(row: Mapping[str, object], column: str, number: int, path: Path) -> float:
    try:
        value = float(str(row[column]))
    except (TypeError, ValueError):
        value = float("nan")
    if not abs(value) <= 1.001:  # a little rounding; no NaN
        raise DataError(f"{path}: row {number}: column {column!r} holds {row[column]!r}, no cosine")
    return value
