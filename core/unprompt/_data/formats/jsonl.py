"""Predictions as JSON lines: id, prompt, fields, text encoder, evidence, embedding."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from unprompt._data.prompts import ID_COLUMNS
from unprompt._data.space import COLUMN, read_space
from unprompt._data.tables import read_table
from unprompt._data.texts import what_is
from unprompt._files.reading import reading
from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from pathlib import Path

    from unprompt._data.predictions import Fields, Rows
    from unprompt._data.space import TextSpace
    from unprompt.contracts import Batch


def write(path: Path, batch: Batch, fields: Fields, space: TextSpace | None) -> None:
    """Write one object per image; evidence is a list of ``{text, score, kind}``."""
    named_by = {} if space is None else {COLUMN: space.model_dump(mode="json")}
    images = zip(batch.embeddings.ids, batch.prompts, batch.evidence, strict=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for i, (name, prompt, reasons) in enumerate(images):
            row = batch.embeddings.rows[i]
            line = {
                "image_id": name,
                "prompt": prompt,
                **{field: values[i] for field, values in fields.items()},
                **named_by,
                "evidence": [asdict(reason) for reason in reasons],
                # Through text: the fewest digits that give the same float32 when read.
                "embedding": row.astype(str).astype(np.float64).tolist(),
            }
            file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")


def read(path: Path) -> Rows:
    """Read ids, rows of shape (N, D), and the text encoder where lines name it.

    Raises:
        DataError: Broken file, several text encoders, or an embedding that is not a list of D
            numbers.
    """
    table = read_table(path, (*ID_COLUMNS, "embedding", COLUMN))
    ids = table.texts(table.pick(ID_COLUMNS))
    column = table.pick(("embedding",))
    rows = [row[column] for row in table.rows]
    wrong = [(name, what) for name, row in zip(ids, rows, strict=True) if (what := _no_row(row))]
    if wrong:
        name, what = wrong[0]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise DataError(f"{path}: the embedding of {name!r} {what}, no list of numbers{more}")
    other = [name for name, row in zip(ids, rows, strict=True) if len(row) != len(rows[0])]
    if other:
        raise DataError(
            f"{path}: their embeddings are not as long as the first one: {named(other)}"
        )
    # Numbers beyond float32 become infinite, which the reader refuses; beyond float64 they raise.
    space = read_space((row.get(COLUMN) for row in table.rows), path)
    with np.errstate(over="ignore"), reading(path):
        return tuple(ids), np.array(rows, np.float64).astype(np.float32), space


def _no_row(row: object) -> str | None:
    """What is there instead of a list of numbers."""
    if not isinstance(row, list) or not row:
        return f"is {what_is(row)}"
    if {*map(type, row)} <= {int, float}:
        return None
    return f"holds {what_is(next(item for item in row if type(item) not in (int, float)))}"
