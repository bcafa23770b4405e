"""Plugin `webdataset`: tar files whose members with one key are an image and its prompt."""

from __future__ import annotations

from functools import cached_property

from pydantic import Field

from unprompt._config.base import Model
from unprompt._data.shards.left_out import BrokenShare
from unprompt._data.shards.patterns import Shards, shard_paths
from unprompt.contracts import Dataset, Images, Record
from unprompt.contracts.hookspecs import hookimpl
from unprompt.contracts.specs import DatasetSpec


class WebDatasetOptions(Model):
    """Which tar files, and where prompts are."""

    shards: Shards = Field(
        description="A `.tar` file, a glob, or a pattern such as `train-{000..099}.tar`; or a list "
        "of these. Not compressed."
    )
    prompt: str | None = Field(
        default=None,
        pattern=r"^(txt|caption|json\..+)$",
        description="The member that holds a sample's prompt: `txt`, `caption`, or `json.KEY`, a "
        "key of its `.json`. By default whichever is there: `.txt`, `.caption`, then prompt, text "
        "or caption in `.json`. The keys prompt_id, group, split, weight and subset of `.json` are "
        "read, too.",
    )
    broken: BrokenShare = 0.01


class WebDataset(Dataset):
    """Tar files in the layout of WebDataset."""

    def __init__(self, options: WebDatasetOptions) -> None:
        """Store the options; the files are read on the first call of `records` or `images`."""
        self.options = options

    def records(self) -> tuple[Record, ...]:
        """Every sample, by shard, in the order of the shard. Its id is ``SHARD/KEY``.

        Raises:
            DataError: A shard is missing, compressed or no tar file, too many samples are broken,
                or an optional key is wrong; lists all such problems.
        """
        return self._read[0]

    def images(self) -> Images:
        """The images of `records`, not opened yet. Raises DataError as `records` does."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[tuple[Record, ...], Images]:
        from unprompt._data.shards.index import read_shards
        from unprompt._data.shards.records import stored
        from unprompt._data.shards.stored import TarImages
        from unprompt._data.shards.tar_samples import tar_samples

        paths, prompt = shard_paths(self.options.shards), self.options.prompt
        shards = read_shards(paths, lambda path: tar_samples(path, prompt), ["tar", prompt])
        records, images, _ = stored(shards, TarImages, self.options.broken)
        return records, images


@hookimpl
def unprompt_dataset() -> DatasetSpec:
    """Offer the dataset."""
    return DatasetSpec(
        name="webdataset",
        summary="tar files of images and prompts, as WebDataset and img2dataset write them",
        options=WebDatasetOptions,
        target="unprompt._builtin.webdataset:WebDataset",
    )
