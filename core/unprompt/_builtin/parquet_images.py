"""Plugin `parquet-images`: Parquet files that hold images as bytes, such as Hugging Face's."""

from __future__ import annotations

from functools import cached_property

from pydantic import Field

from unprompt._config.base import Model
from unprompt._data.shards.left_out import BrokenShare
from unprompt._data.shards.patterns import Shards, shard_paths
from unprompt.contracts import Dataset, Images, Record
from unprompt.contracts.hookspecs import hookimpl
from unprompt.contracts.specs import DatasetSpec


class ParquetImagesOptions(Model):
    """Which files, and which of their columns."""

    shards: Shards = Field(
        description="A `.parquet` file, a glob, or a pattern such as `train-{000..099}.parquet`; "
        "or a list of these."
    )
    image: str = Field(
        default="image",
        min_length=1,
        description="The column with images: bytes, or structs of `bytes` and `path`.",
    )
    prompt: str | None = Field(
        default=None,
        min_length=1,
        description="The column with prompts; by default prompt, text or caption. Columns "
        "image_id, prompt_id, group, split, weight and subset are read, too.",
    )
    broken: BrokenShare = 0.01


class ParquetImageTables(Dataset):
    """Parquet files with a column of images."""

    def __init__(self, options: ParquetImagesOptions) -> None:
        """Store the options; the files are read on the first call of `records` or `images`."""
        self.options = options

    def records(self) -> tuple[Record, ...]:
        """Every row, by shard. Its id is its ``image_id``, or ``SHARD/ROW`` without one.

        Raises:
            DataError: A shard is missing or damaged or lacks a column, too many rows are broken,
                an id is repeated, or an optional column is wrong; lists all such problems.
        """
        return self._read[0]

    def images(self) -> Images:
        """The images of `records`, not opened yet. Raises DataError as `records` does."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[tuple[Record, ...], Images]:
        from unprompt._data.shards.index import read_shards
        from unprompt._data.shards.parquet_images import ParquetImages
        from unprompt._data.shards.parquet_samples import Columns, parquet_samples
        from unprompt._data.shards.records import stored

        given = self.options
        columns = Columns(given.image, given.prompt)
        shards = read_shards(
            shard_paths(given.shards),
            lambda path: parquet_samples(path, columns),
            ["parquet", given.image, given.prompt],
        )
        records, images, source = stored(shards, ParquetImages, given.broken)
        source.column = given.image
        return records, images


@hookimpl
def unprompt_dataset() -> DatasetSpec:
    """Offer the dataset."""
    return DatasetSpec(
        name="parquet-images",
        summary="Parquet files of images as bytes and prompts, as Hugging Face writes them",
        options=ParquetImagesOptions,
        target="unprompt._builtin.parquet_images:ParquetImageTables",
    )
