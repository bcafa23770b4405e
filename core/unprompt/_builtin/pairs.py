"""Plugin `pairs`: one table of images and prompts, such as that of a Hugging Face imagefolder."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from unprompt._config.location import Location
from unprompt._data.prompts import (
    ID_COLUMNS,
    IMAGE_COLUMNS,
    PROMPT_COLUMNS,
    path_id,
    prompt_texts,
    row_problems,
)
from unprompt._data.record_columns import OPTIONAL, optional_text, record_of, record_problems
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

OWN = (*ID_COLUMNS, *OPTIONAL)
"""Optional columns."""


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
        rows = read_table(table, (*OWN, *IMAGE_COLUMNS, *PROMPT_COLUMNS))
        images = rows.texts(rows.pick(IMAGE_COLUMNS))
        folder = self.options.images.path if self.options.images else table.parent
        paths = [folder / image for image in images]
        records = records_of(rows, [path_id(image) for image in images])
        problems = _problems(records, paths, table)
        if problems:
            raise DataError(problems)
        for line in unnamed(paths):
            log.warning(line)
        ids = tuple(record.image_id for record in records)
        return records, Images(ids, Files(dict(zip(ids, paths, strict=True))))


def records_of(table: Table, ids: Sequence[str]) -> tuple[Record, ...]:
    """The rows as records, not checked yet.

    Args:
        table: Its prompts, and whatever optional columns it has.
        ids: The id of each row that does not give its own.
    """

    def optional(*aliases: str) -> list[str]:
        column = table.find(aliases)
        if column is None:
            return [""] * len(table)
        pairs = zip(table.texts(column), table.rows, strict=True)
        return [optional_text(aliases[0], text, row[column]) for text, row in pairs]

    own = optional(*ID_COLUMNS)
    columns = (optional(name) for name in OPTIONAL)
    rows = zip(ids, own, prompt_texts(table), *columns, strict=True)
    return tuple(record_of(given or other, *values) for other, given, *values in rows)


def _problems(records: Sequence[Record], paths: Sequence[Path], table: Path) -> list[str]:
    """What is wrong with the table, one line per kind of problem."""
    missing = [str(path) for path in paths if not is_file(path)]
    ids, prompts = [row.image_id for row in records], [row.prompt for row in records]
    problems = row_problems(table, ids, prompts)
    problems += [f"{table}: no such image: {named(missing)}"] if missing else []
    return problems + record_problems(records, str(table))


@hookimpl
def unprompt_dataset() -> DatasetSpec:
    """Offer the dataset."""
    return DatasetSpec(
        name="pairs",
        summary="one csv, tsv, jsonl or parquet table of images and prompts",
        options=PairsOptions,
        target="unprompt._builtin.pairs:Pairs",
    )
