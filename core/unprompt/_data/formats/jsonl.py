"""Predictions as JSON lines: ``image_id``, ``prompt``, fields, ``evidence``, ``embedding``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from unprompt._data.prompts import ID_COLUMNS
from unprompt._data.tables import read_table
from unprompt._files.reading import reading
from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from pathlib import Path

    from unprompt._data.predictions import Fields
    from unprompt.contracts import Batch
    from unprompt.types import FloatArray


def write(path: Path, batch: Batch, fields: Fields) -> None:
    """Write one object per image; evidence is a list of ``{text, score, kind}``."""
    images = zip(batch.embeddings.ids, batch.prompts, batch.evidence, strict=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for i, (name, prompt, reasons) in enumerate(images):
            row = batch.embeddings.rows[i]
            line = {
                "image_id": name,
                "prompt": prompt,
                **{field: values[i] for field, values in fields.items()},
                "evidence": [asdict(reason) for reason in reasons],
                # Through text: the fewest digits that give the same float32 when read.
                "embedding": row.astype(str).astype(np.float64).tolist(),
            }
            file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")


def read(path: Path) -> tuple[tuple[str, ...], FloatArray]:
    """Read ids and rows of shape (N, D).

    Raises:
        DataError: Broken file, or an embedding that is not a list of D numbers.
    """
    table = read_table(path, (*ID_COLUMNS, "embedding"))
    ids = table.texts(table.pick(ID_COLUMNS))
    column = table.pick(("embedding",))
    rows = [row[column] for row in table.rows]
    dim = len(rows[0]) if isinstance(rows[0], list) else 0
    wrong = [name for name, row in zip(ids, rows, strict=True) if not _is_row(row, dim)]
    if wrong:
        raise DataError(
            f"{path}: their embeddings are not as long as the first one: {named(wrong)}"
        )
    # Numbers beyond float32 become infinite, which the reader refuses; beyond float64 they raise.
    with np.errstate(over="ignore"), reading(path):
        return tuple(ids), np.array(rows, np.float64).astype(np.float32)


def _is_row(row: object, dim: int) -> bool:
    return isinstance(row, Sequence) and 0 < dim == len(row) and {*map(type, row)} <= {int, float}
