"""Plugin `pairs`: one table of images and prompts, such as that of a Hugging Face imagefolder."""

from __future__ import annotations

import logging
import math
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from unprompt._config.location import Location
from unprompt._data.prompts import (
    ID_COLUMNS,
    IMAGE_COLUMNS,
    PROMPT_COLUMNS,
    path_id,
    prompt_id,
    prompt_texts,
    row_problems,
)
from unprompt._data.tables import Table, read_table
from unprompt._files.paths import is_file
from unprompt.contracts import Dataset, Images, Record
from unprompt.contracts.hookspecs import hookimpl
from unprompt.contracts.specs import DatasetSpec
from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

_SPLITS = {
    "train": "train",
    "holdout": "holdout",
    "validation": "holdout",
    "val": "holdout",
    "dev": "holdout",
    "test": "test",
}


_OWN = (*ID_COLUMNS, "prompt_id", "group", "split", "subset", "weight")


class PairsOptions(BaseModel):
    """Where the table and its images are."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    table: Location = Field(
        description="A csv, tsv, jsonl or parquet file with one row per image: a column that "
        "names the image (image, filepath, file_name, ...) and one with its prompt (prompt, "
        "text, caption); image_id, prompt_id, group, split, subset (scores are also given for each "
        "subset apart) and weight (how much an image counts in training, at least 0; 1 where the "
        "cell is empty) are optional."
    )
    images: Location | None = Field(
        default=None,
        description="Folder where relative image paths start; the table's folder by default.",
    )


class Pairs(Dataset):
    """One table that names each image and its prompt."""

    def __init__(self, options: PairsOptions) -> None:
        """Store the options; the table is read on the first call of `records` or `images`."""
        self.options = options

    def records(self) -> tuple[Record, ...]:
        """Every row of the table, in its order.

        Raises:
            DataError: Broken table, missing columns or images, repeated ids, empty prompts,
                unknown splits, weights that are none, or one ``prompt_id`` for several prompts;
                lists all of them.
        """
        return self._read[0]

    def images(self) -> Images:
        """The images of `records`, not opened yet. Raises DataError as `records` does."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[tuple[Record, ...], Images]:
        from unprompt._data.found import unnamed
        from unprompt._data.images import Files

        table = self.options.table.path
        rows = read_table(table, (*_OWN, *IMAGE_COLUMNS, *PROMPT_COLUMNS))
        images = rows.texts(rows.pick(IMAGE_COLUMNS))
        folder = self.options.images.path if self.options.images else table.parent
        paths = [folder / image for image in images]
        records = _records(rows, images)
        problems = _problems(records, paths, table)
        if problems:
            raise DataError(problems)
        for line in unnamed(paths):
            log.warning(line)
        ids = tuple(record.image_id for record in records)
        return records, Images(ids, Files(dict(zip(ids, paths, strict=True))))


def _records(table: Table, images: Sequence[str]) -> tuple[Record, ...]:
    """The rows as records, not checked yet; what is wrong is kept for the error lines."""

    def optional(*aliases: str) -> list[str]:
        column = table.find(aliases)
        return table.texts(column) if column is not None else [""] * len(table)

    prompts = prompt_texts(table)
    columns = [optional(*ID_COLUMNS), *map(optional, ("prompt_id", "group", "split", "subset"))]
    return tuple(
        Record(
            image_id=image_id or path_id(image),
            prompt_id=own_prompt_id or prompt_id(prompt),
            prompt=prompt,
            group=group or None,
            split=_SPLITS.get(split.strip().lower(), split) or None,
            weight=weight,
            subset=subset.strip() or None,
        )
        for image, prompt, weight, image_id, own_prompt_id, group, split, subset in zip(
            images, prompts, _weights(table), *columns, strict=True
        )
    )


def _weights(table: Table) -> list[float]:
    """Each row's sample weight: 1 where there is none, NaN where it is no number."""
    column = table.find(["weight"])
    if column is None:
        return [1.0] * len(table)
    # As text NaN and infinity are missing, see `Table.texts`; as weights they are mistakes.
    pairs = zip(table.texts(column), (row[column] for row in table.rows), strict=True)
    return [
        _number(text or (str(value) if isinstance(value, float) else "1")) for text, value in pairs
    ]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _problems(records: Sequence[Record], paths: Sequence[Path], table: Path) -> list[str]:
    """What is wrong with the table, one line per kind of problem."""
    first: dict[str, str] = {}
    for record in records:
        first.setdefault(record.prompt_id, record.prompt)
    ambiguous = sorted({row.prompt_id for row in records if first[row.prompt_id] != row.prompt})
    unknown = sorted({row.split for row in records if row.split} - set(_SPLITS.values()))
    missing = [str(path) for path in paths if not is_file(path)]
    unweighted = [
        str(number) for number, row in enumerate(records, start=1) if not 0 <= row.weight < math.inf
    ]
    ids, prompts = [row.image_id for row in records], [row.prompt for row in records]
    return row_problems(table, ids, prompts) + [
        f"{table}: {what} {named(values)}"
        for what, values in (
            ("no such image:", missing),
            ("different prompts share the prompt_id", ambiguous),
            ("split should be train, holdout (validation, val, dev) or test, not", unknown),
            ("weight should be a finite number of at least 0, and is not in row", unweighted),
        )
        if values
    ]


@hookimpl
def unprompt_dataset() -> DatasetSpec:
    """Offer the dataset."""
    return DatasetSpec(
        name="pairs",
        summary="one csv, tsv, jsonl or parquet table of images and prompts",
        options=PairsOptions,
        target="unprompt._builtin.pairs:Pairs",
    )
