"""Plugin `kaggle`: the data folder of "Stable Diffusion - Image to Prompts"."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from unprompt._config.location import Location
from unprompt._data.names import form_twins
from unprompt._data.prompts import ID_COLUMNS, prompt_id, prompt_texts, row_problems
from unprompt._data.tables import read_table
from unprompt._files.paths import shown
from unprompt.contracts import Dataset, Images, Record
from unprompt.contracts.hookspecs import hookimpl
from unprompt.contracts.specs import DatasetSpec
from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

log = logging.getLogger(__name__)


class KaggleOptions(BaseModel):
    """Where the competition's folder is."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    folder: Location = Field(
        description="Folder that holds `prompts.csv` (imgId,prompt) and the images `images/`."
    )


class Kaggle(Dataset):
    """``prompts.csv`` and ``images/<imgId>.png``, which must have the same ids."""

    def __init__(self, options: KaggleOptions) -> None:
        """Store the options; the folder is read on the first call of `records` or `images`."""
        self.options = options

    def records(self) -> tuple[Record, ...]:
        """Every row of ``prompts.csv``, in its order.

        Raises:
            DataError: Broken table, repeated ids, empty prompts, a row without an image or an
                image without a row; lists all of them.
        """
        return self._read[0]

    def images(self) -> Images:
        """The images of `records`, not opened yet. Raises DataError as `records` does."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[tuple[Record, ...], Images]:
        from unprompt._data.found import Report, bounded
        from unprompt._data.images import Files, find_images

        folder = self.options.folder.path
        table = folder / "prompts.csv"
        rows = read_table(table, (*ID_COLUMNS, "prompt"))
        ids = rows.texts(rows.pick(ID_COLUMNS))
        prompts = prompt_texts(rows, ("prompt",))
        found = find_images([folder / "images"])
        paths = found.paths
        problems = row_problems(table, ids, prompts) + _unpaired(table, ids, paths)
        problems += bounded([file.line for file in found.left_out if file.error])
        if problems:
            raise DataError(problems)
        for line in Report(found.left_out).lines(len(paths), "named by a row"):
            log.warning(line)
        records = (Record(*row) for row in zip(ids, map(prompt_id, prompts), prompts, strict=True))
        return tuple(records), Images(tuple(ids), Files(paths))


def _unpaired(table: Path, ids: list[str], paths: Mapping[str, Path]) -> list[str]:
    """Rows without an image, and images without a row."""
    without_image = [name for name in ids if name and name not in paths]
    extra = sorted(set(paths) - set(ids))
    without_row = [shown(paths[name]) for name in extra]
    problems = [f"{table}: no image for {named(without_image)}"] if without_image else []
    problems += [f"{table}: no row for {named(without_row)}"] if without_row else []
    return problems + form_twins(without_image, extra)


@hookimpl
def unprompt_dataset() -> DatasetSpec:
    """Offer the dataset."""
    return DatasetSpec(
        name="kaggle",
        summary="Kaggle folder: prompts.csv (imgId,prompt) and images/",
        options=KaggleOptions,
        target="unprompt._builtin.kaggle:Kaggle",
    )
