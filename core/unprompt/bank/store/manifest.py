"""What a bank's folder says of itself: ``manifest.json``, and a mark in each finished shard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from unprompt._data.space import TextSpace
from unprompt._files import paths
from unprompt._files.checksums import Checksum
from unprompt._files.hashing import content_hash
from unprompt._files.reading import read_bytes, read_json, read_typed
from unprompt._files.writing import write_text
from unprompt.bank.search.approximate import IndexAbout
from unprompt.errors import DataError

MANIFEST = "manifest.json"
SHARDS, INDEXES = "shards", "indexes"
DONE = "done.json"
PROMPTS, TARGETS, KEYS = "prompts.parquet", "targets.npy", "keys.npy"

NEAR_DUPLICATES = "near_duplicates"
"""The filter whose prompts still count: those that are kept have their counts."""

VERSION = 1
"""Of the layout; a bank of another version is refused."""

LIMIT = 64 << 20
"""Bytes of a manifest: 66 million prompts in shards of 65,536 have one of 500 kB."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class BankSource(_Strict):
    """Where prompts came from.

    Attributes:
        name: The last part of its path.
        kind: Its format, such as ``parquet`` or ``bank``.
        sha256: Of its content; of a bank, its `BankManifest.identity`.
        read: How many prompts it holds, each as often as it occurs.
        kept: Prompts of the bank that occur here first.
        pairing: How imported rows found their prompts; ``position`` has no proof.
    """

    name: str
    kind: str
    sha256: str
    read: int = Field(ge=0)
    kept: int = Field(ge=0)
    pairing: Literal["id", "position"] | None = None


class BankFilter(_Strict):
    """What was left out, and how much that was.

    Attributes:
        name: Such as ``max_length``.
        value: Its limit, pattern or threshold; None: it has none.
        dropped: Prompts that it left out, each as often as it occurred.
    """

    name: str
    value: int | float | str | None = None
    dropped: int = Field(ge=0)


class BankBackbone(_Strict):
    """The CLIP whose text embeddings are the keys.

    Attributes:
        identity: What it is, by content; see `ClipTowers.identity`.
        source: What YAML says to load it again.
        dim: C.
        precision: That the keys were computed in.
    """

    identity: dict[str, Any]
    source: dict[str, Any]
    dim: int = Field(ge=1)
    precision: str

    @property
    def name(self) -> str:
        """For tables and error lines."""
        parts = (self.source.get(key) for key in ("model", "pretrained", "checkpoint", "folder"))
        return " / ".join(str(value) for value in parts if value)


class BankShard(_Strict):
    """A finished part of a bank.

    Attributes:
        name: Of its folder.
        rows: How many it has.
        files: Size and SHA-256 of each of its files.
    """

    name: str = Field(pattern=r"^[0-9]{5,}$")
    rows: int = Field(ge=1)
    files: dict[str, Checksum]


class BankIndex(_Strict):
    """An index for approximate search.

    Attributes:
        factory: faiss's name of it.
        parts: ``keys``, where the bank has such, and ``targets`` -> what is known of their index.
    """

    factory: str
    parts: dict[Literal["keys", "targets"], IndexAbout]


class BankManifest(_Strict):
    """A whole bank.

    Attributes:
        version: Of the layout.
        rows: Prompts, each once.
        counted: The sum of their counts: how often they occurred.
        dtype: Of keys and targets.
        text_encoder: Whose space the targets are in.
        target_dim: D.
        backbone: Whose space the keys are in; None: there are no keys.
        sources: In their order.
        filters: In their order.
        shards: In the order of their rows.
        indexes: For approximate search; no part of what the bank is.
        request: A hash of what `unprompt bank build` was asked for: the same command finds the
            bank finished. None: it was made otherwise.
        sha256: Of all else in the file, which no other file vouches for; see `is_as_written`. Here
            always None: two manifests are equal if they say the same.
    """

    version: Literal[1] = 1
    rows: int = Field(ge=0)
    counted: int = Field(ge=0)
    dtype: Literal["float16"] = "float16"
    text_encoder: TextSpace
    target_dim: int = Field(ge=1)
    backbone: BankBackbone | None
    sources: tuple[BankSource, ...] = Field(strict=False)
    filters: tuple[BankFilter, ...] = Field(strict=False)
    shards: tuple[BankShard, ...] = Field(strict=False)
    indexes: tuple[BankIndex, ...] = Field(default=(), strict=False)
    request: str | None = None
    sha256: str | None = Field(default=None, exclude=True)

    @property
    def identity(self) -> str:
        """A hash of everything in the bank but its indexes: its files are in here with theirs."""
        return content_hash(self.model_dump(mode="json", exclude={"indexes"}))

    def index(self, factory: str) -> BankIndex | None:
        """The index of a name; None: there is none."""
        return next((index for index in self.indexes if index.factory == factory), None)

    def index_files(self, folder: Path) -> dict[Path, Checksum]:
        """The files of all indexes of the bank in a folder, with their checksums."""
        return {
            index_file(folder, what, about): Checksum(bytes=about.bytes, sha256=about.sha256)
            for index in self.indexes
            for what, about in index.parts.items()
        }

    @property
    def read(self) -> int:
        """How many prompts all sources hold, each as often as it occurs."""
        return sum(source.read for source in self.sources)

    @property
    def imported(self) -> bool:
        """Whether its rows come from others' embeddings, as they were."""
        return any(source.pairing for source in self.sources)

    @property
    def repeated(self) -> int:
        """How many of those only repeat a prompt of the bank, exactly but for case and space."""
        near = sum(part.dropped for part in self.filters if part.name == NEAR_DUPLICATES)
        return self.counted - self.rows - near

    @property
    def adds_up(self) -> bool:
        """Whether what was read is rows, what repeats them, and what the filters left out."""
        left_out = sum(part.dropped for part in self.filters)
        return self.repeated >= 0 and self.read == self.rows + self.repeated + left_out

    @property
    def bytes(self) -> int:
        """Of all files of all shards and indexes."""
        shards = sum(file.bytes for shard in self.shards for file in shard.files.values())
        return shards + sum(about.bytes for index in self.indexes for about in index.parts.values())

    @property
    def widths(self) -> dict[str, int]:
        """The name of each array's file -> the columns of its rows."""
        keys = {} if self.backbone is None else {KEYS: self.backbone.dim}
        return {TARGETS: self.target_dim, **keys}


def shard_name(number: int) -> str:
    """The name of a shard's folder."""
    return f"{number:05d}"


def shard_folder(folder: Path, name: str) -> Path:
    """Where a shard lies in a bank."""
    return folder / SHARDS / name


def index_file(folder: Path, what: str, about: IndexAbout) -> Path:
    """Where an index lies in a bank: the name tells two contents apart."""
    return folder / INDEXES / f"{what}-{about.sha256[:16]}.faiss"


def write_manifest(folder: Path, manifest: BankManifest) -> None:
    """Write it, by rename: from then on the folder is a bank. Raises OutputError."""
    content = manifest.model_dump(mode="json")
    signed = content | {"sha256": content_hash(content)}
    write_text(folder / MANIFEST, json.dumps(signed, indent=2, ensure_ascii=False) + "\n")


def is_as_written(folder: Path) -> bool:
    """Whether a manifest has the content that its own checksum says, if it has one.

    Raises:
        DataError: It is no JSON.
    """
    content = read_json(folder / MANIFEST, dict, limit=LIMIT)  # with names that no model knows
    checksum = content.pop("sha256", None)
    return checksum in (None, content_hash(content))


def read_manifest(folder: Path) -> BankManifest:
    """Read and check it.

    Raises:
        DataError: There is none, or it is damaged or of another version, or contradicts itself.
    """
    path = folder / MANIFEST
    shown = paths.shown(path)
    version = read_json(path, dict, limit=LIMIT).get("version")
    if version != VERSION:
        raise DataError(f"{shown}: of version {version!r:.40}; this program reads {VERSION}")
    manifest = read_typed(path, TypeAdapter(BankManifest), limit=LIMIT)
    rows = sum(shard.rows for shard in manifest.shards)
    if rows != manifest.rows:
        raise DataError(f"{shown}: {manifest.rows:,} rows, and {rows:,} in its shards")
    wanted = {PROMPTS, *manifest.widths}
    for number, shard in enumerate(manifest.shards):
        if shard.name != shard_name(number) or set(shard.files) != wanted:
            raise DataError(f"{shown}: shards.{number}: is not {shard_name(number)} with its files")
    parts = {name.removesuffix(".npy") for name in manifest.widths}
    for number, index in enumerate(manifest.indexes):
        if set(index.parts) != parts:
            raise DataError(f"{shown}: indexes.{number}: is not of {' and '.join(sorted(parts))}")
    return manifest.model_copy(update={"sha256": None})


def write_done(folder: Path, shard: BankShard) -> None:
    """Write the mark of a finished shard: the last of its files. Raises OutputError."""
    write_text(shard_folder(folder, shard.name) / DONE, _done(shard))


def _done(shard: BankShard) -> str:
    return shard.model_dump_json(indent=2) + "\n"


def is_done_as_written(folder: Path, shard: BankShard) -> bool:
    """Whether the mark of a finished bank's shard says what the manifest does, to the byte.

    Raises:
        DataError: It is missing or cannot be read.
    """
    return read_bytes(shard_folder(folder, shard.name) / DONE, limit=LIMIT) == _done(shard).encode()


def read_done(folder: Path, name: str) -> BankShard | None:
    """The mark of a shard; None: it is not finished, or its files are not as the mark says."""
    at = shard_folder(folder, name)
    try:
        shard = BankShard.model_validate_json(read_bytes(at / DONE, limit=LIMIT))
        sizes = {file: (at / file).stat().st_size for file in shard.files}
    except (DataError, ValueError, OSError):
        return None
    fits = all(sizes[file] == sum_.bytes for file, sum_ in shard.files.items())
    return shard if fits and shard.name == name else None
