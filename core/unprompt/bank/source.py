"""The option that chooses a bank's prompts."""

from __future__ import annotations

from pydantic import Field

from unprompt._config.base import Model
from unprompt._config.location import Location
from unprompt._files.hashing import file_hash
from unprompt._files.paths import is_file, shown
from unprompt.contracts import Need, Runtime, TrainSet
from unprompt.errors import DataError, MissingFileError
from unprompt.types import PlainData

DRY_RUN = 8
"""Prompts of a bank in a dry run: a million would keep a ViT-H's text tower busy for days."""


class BankConfig(Model):
    """The prompts of a bank: a table, or the train split."""

    prompts: Location | None = Field(
        default=None,
        description="A table with a prompt column (csv, tsv, jsonl or parquet). Default: the "
        "prompts of the train split.",
    )
    duplicates: bool = Field(
        default=False,
        description="Whether a prompt that occurs n times is n neighbours; else it is one.",
    )

    def needs(self) -> list[Need]:
        """The table, if the options name one."""
        if self.prompts is None:
            return []
        path = self.prompts.path
        return [Need("the bank's table", str(path), is_file(path))]

    def identity(self, runtime: Runtime) -> dict[str, PlainData]:
        """A hash of the table, for cache keys.

        Raises:
            MissingFileError: The table does not exist.
        """
        if self.prompts is None or runtime.dry_run:
            return {"bank": "train"}
        if not is_file(self.prompts.path):
            raise MissingFileError(f"bank: no file {shown(self.prompts.path)}")
        return {"bank": file_hash(self.prompts.path)}

    def texts(self, train: TrainSet, runtime: Runtime) -> list[str]:
        """The prompts in the order of the table or the train split, each once or `duplicates`.

        A dry run takes the first `DRY_RUN` of the train split and reads no table, which may be
        missing or hold millions.

        Raises:
            DataError: There are none, or the table is broken.
        """
        if self.prompts is None or runtime.dry_run:
            texts = [record.prompt for record in train.records]
        else:
            from unprompt._data.prompts import PROMPT_COLUMNS, prompt_texts
            from unprompt._data.tables import read_table

            texts = prompt_texts(read_table(self.prompts.path, PROMPT_COLUMNS))
        known = [text for text in (texts if self.duplicates else dict.fromkeys(texts)) if text]
        if not known:
            raise DataError(
                "the prompt bank is empty: use the ensemble through an experiment's run, or name "
                "a table of prompts in `bank.prompts`"
            )
        return known[:DRY_RUN] if runtime.dry_run else known
