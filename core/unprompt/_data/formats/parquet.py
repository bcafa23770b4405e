"""Predictions as Parquet: id, prompt, fields, text encoder, evidence, embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from unprompt._data.parquet_columns import batches, parquet_file
from unprompt._data.prompts import ID_COLUMNS
from unprompt._data.space import COLUMN, read_space
from unprompt._data.tables import pick_column
from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from pathlib import Path

    from unprompt._data.predictions import Fields, Rows
    from unprompt._data.space import TextSpace
    from unprompt.contracts import Batch
    from unprompt.types import FloatArray

_REASON = pa.struct({"text": pa.string(), "score": pa.float64(), "kind": pa.string()})


def write(
    path: Path,
    batch: Batch,
    fields: Fields = MappingProxyType({}),
    space: TextSpace | None = None,
) -> None:
    """Write one row per image; evidence is a list of ``{text, score, kind}``.

    Features, which are of use to a run only, are a column where the batch has them.
    """
    evidence = [[asdict(reason) for reason in reasons] for reasons in batch.evidence]
    named_by = {} if space is None else {COLUMN: _repeated(space.text, len(batch.embeddings))}
    features = {} if batch.features is None else {"features": _lists(batch.features.rows)}
    table = pa.table(
        {
            "image_id": pa.array(batch.embeddings.ids, pa.string()),
            "prompt": pa.array(batch.prompts, pa.string()),
            **{field: _column(values) for field, values in fields.items()},
            **named_by,
            "evidence": pa.array(evidence, pa.list_(_REASON)),
            "embedding": _lists(batch.embeddings.rows),
            **features,
        }
    )
    pq.write_table(table, path)


def _repeated(text: str, count: int) -> pa.DictionaryArray:
    """A column of one text, which takes no room."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([text]))


def _lists(rows: FloatArray) -> pa.FixedSizeListArray:
    """Rows of shape (N, D) as a column of lists."""
    flat = pa.array(np.ascontiguousarray(rows).ravel(), pa.float32())
    return pa.FixedSizeListArray.from_arrays(flat, rows.shape[1])


def _column(values: Sequence[float | bool | None]) -> pa.Array:
    """A column of yes and no, or of numbers; numbers also where every value is missing."""
    truths = any(isinstance(value, bool) for value in values)
    return pa.array(values, pa.bool_() if truths else pa.float64())


def read(path: Path) -> Rows:
    """Read ids, rows of shape (N, D), and the text encoder where rows name it.

    Raises:
        DataError: Broken file, several text encoders, or embeddings that are not all lists of D
            numbers.
    """
    with parquet_file(path) as file:
        names = file.schema_arrow.names
        key = pick_column(names, ID_COLUMNS, path)
        value = pick_column(names, ("embedding",), path)
        _check_numbers(file.schema_arrow.field(value).type, path)
        named_by = [COLUMN] if COLUMN in names else []
        texts: set[object] = set()
        parts = []
        for batch in batches(file, path, [key, value, *named_by]):
            parts.append(_columns(batch, key, value))
            texts |= set(pc.unique(batch[COLUMN].cast(pa.string())).to_pylist() if named_by else ())
    ids = [name or "" for part, _ in parts for name in part.to_pylist()]
    if not ids:
        raise DataError(f"{path}: the table has no rows")
    lists = pa.chunked_array([part for _, part in parts]).combine_chunks()
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
    empty = [name for name, n in zip(ids, lengths, strict=True) if not n]
    if empty:
        raise DataError(f"{path}: no numbers in the embedding of {named(empty)}")
    wrong = [name for name, n in zip(ids, lengths, strict=True) if n != lengths[0]]
    if wrong:
        raise DataError(
            f"{path}: their embeddings are not as long as the first one: {named(wrong)}"
        )
    flat = lists.flatten().to_numpy(zero_copy_only=False)  # a missing number becomes a NaN
    space = read_space(texts, path)
    return tuple(ids), flat.astype(np.float32).reshape(len(ids), -1), space


def _check_numbers(kind: pa.DataType, path: Path) -> None:
    """Refuse a column of anything but lists of numbers; Arrow would make 0 and 1 of yes and no."""
    inner = getattr(kind, "value_type", None)
    numbers = (pa.types.is_floating, pa.types.is_integer, pa.types.is_null)
    if inner is None or not any(is_kind(inner) for is_kind in numbers):
        raise DataError(f"{path}: its embeddings are {kind}, not lists of numbers"[:300])


def _columns(batch: Any, key: str, value: str) -> tuple[Any, Any]:
    """A batch's ids as text, and its embeddings as lists."""
    return batch[key].cast(pa.string()), batch[value].cast(pa.list_(pa.float32()))


def read_batch(path: Path) -> Batch:
    """Read all that `write` wrote, prompts, evidence and features included.

    Raises:
        DataError: It is damaged, or something else.
    """
    from unprompt.contracts import Batch, Evidence
    from unprompt.embeddings import Embeddings

    with parquet_file(path) as file:
        table = file.read()
        ids = tuple(table["image_id"].to_pylist())
        reasons = table["evidence"].to_pylist()
        evidence = tuple(tuple(Evidence(**reason) for reason in line) for line in reasons)
        return Batch(
            Embeddings(ids, _rows(table, "embedding")),
            tuple(table["prompt"].to_pylist()),
            evidence,
            Embeddings(ids, _rows(table, "features")) if "features" in table.schema.names else None,
        )


def _rows(table: pa.Table, name: str) -> FloatArray:
    """A column of lists as rows of shape (N, D)."""
    dim = table.schema.field(name).type.list_size
    flat = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    rows: FloatArray = flat.astype(np.float32).reshape(len(table), dim)
    return rows
