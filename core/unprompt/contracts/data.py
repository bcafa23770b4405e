"""Images and the prompts that made them, keyed by image id."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from unprompt.contracts.runtime import TextEncoder
from unprompt.embeddings import Embeddings
from unprompt.errors import DataError, named

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image


class Metrics(Protocol):
    """Hears what a training measures while it goes on; the default, `unheard`, does nothing."""

    def __call__(self, step: int, values: Mapping[str, float]) -> None:
        """Optimiser steps taken so far, and metrics by name."""
        ...


def unheard(step: int, values: Mapping[str, float]) -> None:
    """The `Metrics` that does nothing."""
    return


class ImageSource(Protocol):
    """Opens images by id.

    A source whose images are files may also have ``path(image_id) -> Path | None``: the file, for
    families that read more of it than its pixels; see `Images.path`. One that keeps many images in
    a file may have ``blocks(image_ids) -> Sequence[int]``: for each image the number of the part of
    its storage (a tar file, a row group) that is best read together; see `Images.blocks`.

    Images are opened from several threads at once, and sources are sent to worker processes by
    pickling where a training has some.
    """

    def open(self, image_id: str) -> Image:
        """The image, mode RGB, upright. Raises DataError naming an image that cannot be read."""
        ...

    def digest(self, image_id: str) -> str:
        """A hash of the image's content (of the file, or of what generates it)."""
        ...


@dataclass(frozen=True, slots=True)
class Images:
    """N images, which are opened one by one when they are needed.

    Attributes:
        ids: N distinct ids.
        source: Opens them.
    """

    ids: tuple[str, ...]
    source: ImageSource

    def __len__(self) -> int:
        """N."""
        return len(self.ids)

    def open(self, image_id: str) -> Image:
        """The image as RGB, of any size."""
        return self.source.open(image_id)

    def digest(self, image_id: str) -> str:
        """A hash of the image's content."""
        return self.source.digest(image_id)

    def path(self, image_id: str) -> Path | None:
        """The file that an image is; None where it is drawn, or in memory.

        Read it as a file of anybody's. Raises DataError for an unknown id.
        """
        path: Callable[[str], Path | None] | None = getattr(self.source, "path", None)
        return None if path is None else path(image_id)

    def blocks(self) -> tuple[int, ...] | None:
        """Sizes of the consecutive blocks of storage in which the images lie, in their order.

        A training that shuffles block by block reads them almost in sequence. None where any order
        is as good.
        """
        numbers: Callable[[Sequence[str]], Sequence[int]] | None
        numbers = getattr(self.source, "blocks", None)
        if numbers is None:
            return None
        return tuple(sum(1 for _ in run) for _, run in groupby(numbers(self.ids)))

    def select(self, ids: Sequence[str]) -> Images:
        """Only ``ids``, in that order. Raises DataError for an id that is not among its own."""
        own = set(self.ids)
        missing = [name for name in ids if name not in own]
        if missing:
            raise DataError(f"no image for {named(missing)}")
        return Images(tuple(ids), self.source)

    def spread(self, most: int) -> Images:
        """At most ``most`` of them, > 0, spread evenly over their order."""
        step = max(1, len(self.ids) // most)
        return Images(self.ids[::step][:most], self.source)


@dataclass(frozen=True, slots=True)
class Record:
    """One image's row of a dataset.

    Attributes:
        image_id: Distinct in the dataset.
        prompt_id: Equal for images made from the same prompt.
        prompt: The text that made the image.
        group: All images of a group are in the same split; None: unprompt makes groups of
            near-duplicate prompts.
        split: ``train``, ``holdout`` or ``test``; None: unprompt assigns groups to splits.
        weight: How much the image counts where a member is trained, finite, at least 0; scores
            weigh all images alike.
        subset: A name, such as ``unseen``; scores are also given for each subset apart. None: the
            image is in none.
    """

    image_id: str
    prompt_id: str
    prompt: str
    group: str | None = None
    split: str | None = None
    weight: float = 1.0
    subset: str | None = None


class Dataset(ABC):
    """Images with the prompts that made them, keyed by ``image_id``."""

    @abstractmethod
    def records(self) -> tuple[Record, ...]:
        """Every row, in an order that never changes. Raises DataError if the table is wrong."""

    @abstractmethod
    def images(self) -> Images:
        """The images of exactly the ids of `records`. Opens none of them."""

    def wordings(self, image_ids: Sequence[str], count: int) -> Mapping[str, Sequence[str]] | None:
        """Other prompts that could have made the same images, for datasets that know them.

        Their normalised mean embedding is the *oracle*: the best prediction that the image alone
        allows.

        Args:
            image_ids: N ids of `records`.
            count: The number of prompts to draw per image, independently.

        Returns:
            For each id ``count`` prompts, drawn from the distribution of prompts given the
            image; None where the dataset does not know that distribution (real images).
        """
        return None


@dataclass(frozen=True, slots=True)
class TrainSet:
    """What a member may learn from; empty if an ensemble is used without an experiment.

    Attributes:
        records: N rows of the train split.
        images: Their images.
        targets: Their prompts' embeddings, keyed by ``image_id``, of shape (N, D).
        text_encoder: The text encoder of the target space, for prompts outside the dataset.
        group_cosine: From which cosine on the splits count two prompts as near-duplicates.
        work: A folder that outlives an interrupted `Predictor.prepare`, for checkpoints of a long
            training: the next attempt finds there what the last one wrote, whatever its options
            were. Folders in it that are named ``checkpoints`` are removed once what was learned
            is kept. None: there is none.
        metrics: Called with a step's number and its metrics by name, such as a loss; observers hear
            of them.
    """

    records: tuple[Record, ...]
    images: Images
    targets: Embeddings
    text_encoder: TextEncoder
    group_cosine: float = 0.7
    work: Path | None = None
    metrics: Metrics = unheard

    def __len__(self) -> int:
        """N."""
        return len(self.records)
