"""Predictions as one keyed ``.npy``: a structured array with ``image_id`` and ``embedding``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unprompt._files.reading import reading
from unprompt._files.tensors import read_array
from unprompt.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from unprompt._data.predictions import Fields, Rows
    from unprompt._data.space import TextSpace
    from unprompt.contracts import Batch


def write(path: Path, batch: Batch, fields: Fields, space: TextSpace | None) -> None:
    """Write N records of an id (unicode) and a float32 row of shape (D,); needs no pickle.

    The format holds no prompts, no fields, no evidence and no text encoder.
    """
    ids, rows = batch.embeddings.ids, batch.embeddings.rows
    longest = max((len(name) for name in ids), default=1)
    columns = [("image_id", f"<U{max(longest, 1)}"), ("embedding", "<f4", (rows.shape[1],))]
    table = np.empty(len(ids), columns)
    table["image_id"], table["embedding"] = ids, rows
    with path.open("wb") as file:  # given a name, numpy would add a suffix to it
        np.save(file, table, allow_pickle=False)


def read(path: Path) -> Rows:
    """Read ids and rows of shape (N, D). Raises DataError for a file of another kind."""
    table = read_array(path)
    try:
        ids, rows = table["image_id"], table["embedding"]
    except (LookupError, ValueError) as error:
        raise DataError(
            f"{path}: not a keyed .npy; it holds records of image_id and embedding"
        ) from error
    if ids.ndim != 1 or ids.dtype.kind != "U" or rows.ndim != 2 or rows.dtype.kind != "f":
        raise DataError(f"{path}: image_id should be text, and embedding a row of floats")
    if not len(ids):
        raise DataError(f"{path}: the table has no rows")
    with np.errstate(over="ignore"), reading(path):  # an id may hold what is no letter
        return tuple(ids.tolist()), rows.astype(np.float32), None
