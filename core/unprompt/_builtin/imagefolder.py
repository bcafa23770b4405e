"""Plugin `imagefolder`: a folder of images with a table of prompts, or a text beside each image."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from pydantic import Field

from unprompt._builtin.pairs import OWN, records_of
from unprompt._config.base import Model
from unprompt._config.location import Location
from unprompt._data.prompts import IMAGE_COLUMNS, PROMPT_COLUMNS, path_id, repeated_ids
from unprompt._data.record_columns import SPLITS, record_of, record_problems
from unprompt._data.shards.left_out import BrokenShare, LeftOut
from unprompt._data.tables import read_table
from unprompt._data.texts import LONGEST, bare
from unprompt._files.paths import is_file, is_folder, shown
from unprompt._files.reading import read_text
from unprompt.contracts import Dataset, Images, Record
from unprompt.contracts.hookspecs import hookimpl
from unprompt.contracts.specs import DatasetSpec
from unprompt.errors import DataError, named

TABLES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
"""Names of tables beside images, as Hugging Face's imagefolder has them."""
TEXTS = (".txt", ".caption")
"""Suffixes of a file with an image's prompt, in its place."""


class ImageFolderOptions(Model):
    """Which folder."""

    folder: Location = Field(
        description="A folder of images, with subfolders. Prompts are in tables `metadata.jsonl`, "
        "`metadata.csv` or `metadata.parquet` beside the images or above them (columns file_name "
        "and prompt, text or caption; image_id, prompt_id, group, split, weight and subset are "
        "optional), or else in a `.txt` or `.caption` file beside each image."
    )
    split_folders: bool = Field(
        default=False,
        description="Whether the folders right below are splits: train, validation (holdout, val, "
        "valid, dev) and test.",
    )
    broken: BrokenShare = 0.01


class ImageFolder(Dataset):
    """A folder of images."""

    def __init__(self, options: ImageFolderOptions) -> None:
        """Store the options; the folder is read on the first call of `records` or `images`."""
        self.options = options

    def records(self) -> tuple[Record, ...]:
        """The rows of the tables in their order, or the images sorted by path.

        An id is the image's path below the folder, without its suffix.

        Raises:
            DataError: The folder or a table is missing or broken, too many images have no prompt,
                ids are repeated, or an optional column is wrong; lists all such problems.
        """
        return self._read[0]

    def images(self) -> Images:
        """The images of `records`, not opened yet. Raises DataError as `records` does."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[tuple[Record, ...], Images]:
        from unprompt._data.images import Files
        from unprompt._data.shards.left_out import by_reason, check_left_out

        folder = self.options.folder.path
        where = shown(folder)
        if not is_folder(folder):
            raise DataError(f"{where}: no such folder")
        tables = sorted(path for name in TABLES for path in folder.rglob(name))
        left_out: list[LeftOut] = []
        rows = list(_from_tables(folder, tables) if tables else _from_texts(folder, left_out))
        whole = [(record, path) for record, path in rows if (why := _why_not(record, path)) is None]
        left_out += [LeftOut(r.image_id, why) for r, path in rows if (why := _why_not(r, path))]
        check_left_out(
            by_reason(left_out, where), len(left_out), len(whole), self.options.broken, where
        )
        records = tuple(record for record, _ in whole)
        if self.options.split_folders:
            records = _by_folder(folder, whole)
        problems = repeated_ids(where, [record.image_id for record in records])
        problems += record_problems(records, where)
        if problems:
            raise DataError(problems)
        paths = {record.image_id: path for record, path in whole}
        return records, Images(tuple(paths), Files(paths))


Row = tuple[Record, Path]


def _from_tables(folder: Path, tables: list[Path]) -> Iterator[Row]:
    """Every row of every table."""
    for path in tables:
        table = read_table(path, (*OWN, *IMAGE_COLUMNS, *PROMPT_COLUMNS))
        names = table.texts(table.pick(IMAGE_COLUMNS))
        files = [path.parent / name for name in names]
        above = path.parent.relative_to(folder)
        ids = [path_id((above / name).as_posix()) if name else "" for name in names]
        yield from zip(records_of(table, ids), files, strict=True)


def _from_texts(folder: Path, left_out: list[LeftOut]) -> Iterator[Row]:
    """Every image that has a text beside it."""
    from unprompt._data.images import find_images

    found = find_images([folder])
    left_out += [LeftOut(file.path, file.reason) for file in found.left_out if file.error]
    for image_id, path in found.paths.items():
        text = next((t for suffix in TEXTS if is_file(t := path.with_suffix(suffix))), None)
        try:
            prompt = "" if text is None else bare(read_text(text, limit=4 * LONGEST))
        except DataError as error:
            left_out.append(LeftOut(image_id, error.problems[0].partition(": ")[2]))
            continue
        yield record_of(image_id, prompt), path


def _why_not(record: Record, path: Path) -> str | None:
    """Why a row cannot be used."""
    if not record.image_id:
        return "no file is named"
    if not record.prompt:
        return "no prompt"
    return None if is_file(path) else "no such image"


def _by_folder(folder: Path, rows: list[Row]) -> tuple[Record, ...]:
    """The records with the splits that their folders are.

    Raises:
        DataError: An image is in no such folder.
    """
    from dataclasses import replace

    tops = [path.absolute().relative_to(folder.absolute()).parts[0].lower() for _, path in rows]
    outside = [shown(path) for (_, path), top in zip(rows, tops, strict=True) if top not in SPLITS]
    if outside:
        raise DataError(
            f"{shown(folder)}: split_folders: in none of the folders train, validation and test: "
            f"{named(outside)}"
        )
    return tuple(
        replace(record, split=SPLITS[top]) for (record, _), top in zip(rows, tops, strict=True)
    )


@hookimpl
def unprompt_dataset() -> DatasetSpec:
    """Offer the dataset."""
    return DatasetSpec(
        name="imagefolder",
        summary="a folder of images with metadata.jsonl, .csv or .parquet, or a .txt beside each",
        options=ImageFolderOptions,
        target="unprompt._builtin.imagefolder:ImageFolder",
    )
