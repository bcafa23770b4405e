"""Where a bank's prompts come from."""

from __future__ import annotations

from pydantic import Field

from unprompt._config.base import Model
from unprompt._config.location import Location
from unprompt._files.hashing import file_hash
from unprompt.contracts import Need, Runtime, TrainSet
from unprompt.errors import DataError, MissingFileError
from unprompt.types import Json


class BankConfig(Model):
    """Which prompts a bank holds."""

    prompts: Location | None = Field(
        default=None,
        description="A table with a prompt column (csv, tsv, jsonl or parquet). Default: the "
        "prompts of the train split.",
    )

    def needs(self) -> list[Need]:
        """The table, where one is named."""
        if self.prompts is None:
            return []
        path = self.prompts.path
        return [Need("the bank's table", str(path), path.is_file())]

    def identity(self, runtime: Runtime) -> dict[str, Json]:
        """The table's content, for cache keys.

        Raises:
            MissingFileError: The table is not there.
        """
        if self.prompts is None or self._does_without(runtime):
            return {"bank": "train"}
        if not self.prompts.path.is_file():
            raise MissingFileError(f"bank: no file {self.prompts.path}")
        return {"bank": file_hash(self.prompts.path)}

    def texts(self, train: TrainSet, runtime: Runtime) -> list[str]:
        """The distinct prompts, in the order of the table or the train split.

        A dry run takes the train split's where the table is not there.

        Raises:
            DataError: There are none, or the table is broken.
        """
        if self.prompts is None or self._does_without(runtime):
            texts = [record.prompt for record in train.records]
        else:
            from unprompt._data.prompts import prompt_texts
            from unprompt._data.tables import read_rows

            texts = prompt_texts(read_rows(self.prompts.path), self.prompts.path)
        distinct = [text for text in dict.fromkeys(texts) if text]
        if not distinct:
            raise DataError(
                "the prompt bank is empty: use the ensemble through an experiment's run, or name "
                "a table of prompts in `bank.prompts`"
            )
        return distinct

    def _does_without(self, runtime: Runtime) -> bool:
        """Whether this is a dry run, and the table is not here."""
        return runtime.dry_run and not all(need.here for need in self.needs())
