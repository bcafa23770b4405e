"""The option that chooses a bank's prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from unprompt._config.base import Model
from unprompt._config.choice import refuse_options, unread_option
from unprompt._config.free import MARK
from unprompt._config.location import Location
from unprompt._files.hashing import content_hash, file_hash
from unprompt._files.paths import is_file, shown
from unprompt.bank.search.approximate import LEAST_RECALL
from unprompt.bank.store.manifest import MANIFEST, BankBackbone, read_manifest
from unprompt.contracts import Need, Runtime, TextEncoder, TrainSet
from unprompt.errors import DataError, MissingFileError
from unprompt.types import PlainData

if TYPE_CHECKING:
    from unprompt.bank.disk import BankOnDisk
    from unprompt.bank.store import StoredBank

DRY_RUN = 8
"""Prompts of a bank in a dry run: a million would keep a ViT-H's text tower busy for days."""


class BankConfig(Model):
    """The prompts of a bank: a table, the train split, or a bank on disk with all its rows."""

    prompts: Location | None = Field(
        default=None,
        description="A table with a prompt column (csv, tsv, jsonl or parquet). Default: the "
        "prompts of the train split.",
    )
    folder: Location | None = Field(
        default=None,
        description="A bank that `unprompt bank build` made, with the same backbone and text "
        "encoder: its rows are used as they are, and stay on the disk.",
    )
    index: str | None = Field(
        default=None,
        description="Approximate search of the bank in `folder`: an index that `unprompt bank "
        "index` made, by its name, such as IVF4096,RaBitQ4. Default: exact search.",
    )
    recall: float = Field(
        default=LEAST_RECALL,
        ge=0,
        le=1,
        description="Of approximate search: an index of which less was measured when it was made "
        "is refused.",
        json_schema_extra={MARK: True},
    )
    duplicates: bool = Field(
        default=False,
        description="Whether a prompt that occurs n times is n neighbours; else it is one.",
    )

    @model_validator(mode="after")
    def _check_folder(self) -> BankConfig:
        """Refuse what a bank on disk has decided already, and an index of no such bank."""
        if self.folder is None and self.index is not None:
            refuse_options([unread_option("without `folder`", "index")])
        if self.index is None and self.recall != LEAST_RECALL:
            refuse_options([unread_option("without `index`", "recall")])
        if self.folder is not None:
            unread = [key for key in ("prompts", "duplicates") if getattr(self, key)]
            if unread:
                refuse_options([unread_option("with `folder`", key) for key in unread])
        return self

    def needs(self) -> list[Need]:
        """The table or the bank on disk, if the options name one."""
        if self.folder is not None:
            path = self.folder.path
            return [Need("the bank", str(path), is_file(path / MANIFEST))]
        if self.prompts is None:
            return []
        path = self.prompts.path
        return [Need("the bank's table", str(path), is_file(path))]

    def identity(self, runtime: Runtime) -> dict[str, PlainData]:
        """A hash of the table or the bank on disk, for cache keys.

        Raises:
            MissingFileError: The table does not exist.
            DataError: The bank on disk is missing, unfinished or damaged.
        """
        if runtime.dry_run:
            return {"bank": "train"}
        if self.folder is not None:
            if not is_file(self.folder.path / MANIFEST):
                self.stored(runtime)  # says what is wrong with it
            manifest = read_manifest(self.folder.path)
            index = None if self.index is None else manifest.index(self.index)
            if index is None:  # one that is missing is said when the bank is opened
                return {"bank": manifest.identity}
            return {"bank": manifest.identity, "index": index.model_dump(mode="json")}
        if self.prompts is None:
            return {"bank": "train"}
        if not is_file(self.prompts.path):
            raise MissingFileError(f"bank: no file {shown(self.prompts.path)}")
        return {"bank": file_hash(self.prompts.path)}

    def stored(self, runtime: Runtime) -> StoredBank | None:
        """The bank on disk, opened; None: there is none, or it is a dry run.

        Raises:
            DataError: It is missing, unfinished or damaged.
        """
        if self.folder is None or runtime.dry_run:
            return None
        from unprompt.bank.store import StoredBank

        return StoredBank.open(self.folder.path)

    def on_disk(
        self,
        backbone: Mapping[str, PlainData] | None,
        text_encoder: TextEncoder | None,
        runtime: Runtime,
    ) -> BankOnDisk | None:
        """The bank on disk, for a member; None: there is none, or it is a dry run.

        Args:
            backbone: The `ClipTowers.identity` of the member's CLIP; None: it needs no keys.
            text_encoder: Of the target space; None: it is not known.
            runtime: Where it is searched.

        Raises:
            DataError: It is missing, unfinished or damaged, has no keys or not the index, or is of
                another backbone or text encoder.
        """
        bank = self.stored(runtime)
        if bank is None:
            return None
        from unprompt.bank.disk import BankOnDisk
        from unprompt.bank.indexing import check_index

        where, manifest = shown(bank.folder), bank.manifest
        if text_encoder is not None and text_encoder.identity != manifest.text_encoder.identity:
            raise DataError(
                f"{where}: its targets are of the text encoder "
                f"{manifest.text_encoder.identity!r}, not of {text_encoder.identity!r}"
            )
        if backbone is not None and manifest.backbone is None:
            raise DataError(
                f"{where}: has no keys to search by; `unprompt bank build {where} --output DIR "
                "--backbone B` makes a bank that has"
            )
        if backbone is not None and manifest.backbone and _other(backbone, manifest.backbone):
            raise DataError(
                f"{where}: its keys are of {manifest.backbone.name}, another backbone than the "
                "member's"
            )
        if self.index is not None:
            check_index(bank, self.index, self.recall)
        return BankOnDisk(bank, runtime.device, self.index, self.recall)

    def texts(self, train: TrainSet, runtime: Runtime) -> list[str]:
        """The prompts in the order of the table or the train split, each once or `duplicates`.

        A dry run takes the first `DRY_RUN` of the train split and reads no table, which may be
        missing or hold millions.

        Raises:
            DataError: There are none, or the table is broken.
        """
        if (bank := self.stored(runtime)) is not None:
            texts = [text for batch, _ in bank.prompts() for text in batch]
        elif self.prompts is None or runtime.dry_run:
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


def _other(backbone: Mapping[str, PlainData], known: BankBackbone) -> bool:
    """Whether a backbone is not the one of a bank, whose identity went through JSON."""
    return content_hash(dict(backbone)) != content_hash(known.identity)
