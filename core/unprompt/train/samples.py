"""Training images as 8-bit pixels: opened, augmented, and gathered into batches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from unprompt._data.shape import alone
from unprompt.contracts import Images
from unprompt.errors import DataError
from unprompt.train.augment import Step, augmented
from unprompt.train.broken import Broken
from unprompt.train.pixels import Pixels

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from unprompt.contracts import ImageSource

Pick = tuple[int, int]
"""An epoch and the number of a sample."""


_MAKING_ROOM = threading.Lock()
"""Of all samples: a lock of their own could not be sent to other processes."""


class SampleBatch(NamedTuple):
    """Samples of one batch.

    Attributes:
        pixels: uint8 of shape (n, 3, S, S), or what else the samples are; n is less than was asked
            for where some are broken.
        rows: Their numbers, int64 of shape (n,), on the CPU.
        broken: The samples of the batch that cannot be opened.
    """

    pixels: torch.Tensor
    rows: torch.Tensor
    broken: tuple[Broken, ...]


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens one sample; what worker processes get: no ids, no images in memory.

    Attributes:
        source: Opens images by id.
        preprocess: RGB image -> float32 of shape (3, S, S), normalised.
        pixels: What its values are.
        seed: Of the augmentations.
        augment: Augmentations, in their order.
    """

    source: ImageSource
    preprocess: Callable[[Image], torch.Tensor]
    pixels: Pixels
    seed: int
    augment: tuple[Step, ...]

    def open(self, image_id: str) -> torch.Tensor | Broken:
        """The image as it is, uint8 of shape (3, S, S)."""
        try:
            image = self.source.open(image_id)
        except DataError as error:
            return Broken(image_id, "; ".join(error.problems))
        with alone(image.width * image.height):
            made = self.preprocess(image)
        side = self.pixels.size
        if tuple(made.shape) != (3, side, side):
            raise ValueError(f"{image_id}: {tuple(made.shape)} and not (3, {side}, {side})")
        return self.pixels.to_uint8(made)

    def change(self, pixels: torch.Tensor, epoch: int, row: int) -> torch.Tensor:
        """The image as one epoch sees it."""
        return augmented(pixels, self.augment, (self.seed, epoch, row), self.pixels.fill)


class SampleSet(Protocol):
    """What batches are taken of, a map-style dataset of torch: (epoch, row) -> one sample."""

    @property
    def images(self) -> Images:
        """N images; a sample's row is its place among them."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""

    @property
    def remote(self) -> Opener | None:
        """What opens samples in other processes; None: they are in the memory of this one."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, pick: Pick) -> torch.Tensor | Broken:
        """One sample as one epoch sees it."""

    def holds(self, picks: Sequence[Pick]) -> bool:
        """Whether all of these samples are in the memory of this process."""

    def batch(self, picks: Sequence[Pick], *, pin: bool = False) -> SampleBatch:
        """Samples that it `holds`, together: the same as each of them alone.

        Args:
            picks: Which.
            pin: Whether they are put into page-locked memory, for a GPU.
        """


class Samples:
    """Images as a `SampleSet`: (epoch, row) -> uint8 pixels of shape (3, S, S), or `Broken`.

    Attributes:
        images: N images; a sample's row is its place among them.
        opener: Opens them.
        keep: Whether opened images stay in memory, before augmentation: N * 3 * S * S bytes.
    """

    def __init__(
        self,
        images: Images,
        preprocess: Callable[[Image], torch.Tensor],
        pixels: Pixels,
        *,
        seed: int = 0,
        augment: Sequence[Step] = (),
        keep: bool = False,
    ) -> None:
        """Open nothing yet.

        Args:
            images: N images.
            preprocess: RGB image -> float32 of shape (3, S, S), normalised; without chance.
            pixels: What its values are; see `Pixels.measured`.
            seed: Of the augmentations; not negative.
            augment: Augmentations, in their order; none for validation.
            keep: Whether opened images stay in memory.
        """
        self.images, self.keep = images, keep
        self.opener = Opener(images.source, preprocess, pixels, seed, tuple(augment))
        self._kept: torch.Tensor | None = None
        self._known: dict[int, Broken | None] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """(3, S, S)."""
        side = self.opener.pixels.size
        return 3, side, side

    @property
    def remote(self) -> Opener | None:
        """What opens images in other processes; None where they are kept in memory."""
        return None if self.keep else self.opener

    def __len__(self) -> int:
        """N."""
        return len(self.images)

    def __getitem__(self, pick: Pick) -> torch.Tensor | Broken:
        """One sample as one epoch sees it."""
        epoch, row = pick
        opened = self._opened(row)
        return opened if isinstance(opened, Broken) else self.opener.change(opened, epoch, row)

    def holds(self, picks: Sequence[Pick]) -> bool:
        """Whether all of these images are kept, or known to be broken."""
        return self.keep and all(row in self._known for _, row in picks)

    def batch(self, picks: Sequence[Pick], *, pin: bool = False) -> SampleBatch:
        """Images that are kept, copied at once and then augmented."""
        import torch

        whole = [(epoch, row) for epoch, row in picks if self._known[row] is None]
        rows = torch.tensor([row for _, row in whole], dtype=torch.int64)
        pixels = _room(len(rows), self.shape, pin=pin)
        torch.index_select(self._memory(), 0, rows, out=pixels)
        if self.opener.augment:
            for own, (epoch, row) in zip(pixels, whole, strict=True):
                own.copy_(self.opener.change(own, epoch, row))
        known = [self._known[row] for _, row in picks]
        return SampleBatch(pixels, rows, tuple(item for item in known if item is not None))

    def passing(self) -> Samples:
        """The same images before augmentation, none of them kept."""
        opener = self.opener
        return Samples(self.images, opener.preprocess, opener.pixels)

    def fill(self, batch: SampleBatch) -> None:
        """Keep samples of `passing` that are opened already."""
        self._memory()[batch.rows] = batch.pixels
        self._known.update(dict.fromkeys(batch.rows.tolist()))
        for item in batch.broken:
            self._known[self.images.ids.index(item.image_id)] = item

    def _opened(self, row: int) -> torch.Tensor | Broken:
        """A sample without augmentation."""
        if not self.keep:
            return self.opener.open(self.images.ids[row])
        kept = self._memory()
        if row not in self._known:
            opened = self.opener.open(self.images.ids[row])
            if isinstance(opened, Broken):
                self._known[row] = opened
            else:
                kept[row] = opened
                self._known[row] = None  # last, as other threads read it first
        return self._known[row] or kept[row]

    def _memory(self) -> torch.Tensor:
        """Where opened images are kept; the system gives the memory as it is filled."""
        with _MAKING_ROOM:  # two threads would each make their own, and one be forgotten
            if self._kept is None:
                self._kept = _room(len(self), self.shape)
            return self._kept


def _room(count: int, shape: tuple[int, ...], *, pin: bool = False) -> torch.Tensor:
    """Memory for 8-bit samples of a shape, page-locked or not."""
    import torch

    return torch.empty((count, *shape), dtype=torch.uint8, pin_memory=pin)


def gathered(
    rows: Sequence[int],
    samples: Sequence[torch.Tensor | Broken],
    shape: tuple[int, ...],
    *,
    pin: bool = False,
) -> SampleBatch:
    """Samples of one batch together, the broken ones apart.

    Args:
        rows: Their numbers.
        samples: Each of them, uint8.
        shape: Of one.
        pin: Whether they are put into page-locked memory, for a GPU.
    """
    import torch

    whole = [
        (row, sample)
        for row, sample in zip(rows, samples, strict=True)
        if not isinstance(sample, Broken)
    ]
    pixels = [sample for _, sample in whole]
    together = _room(len(pixels), shape, pin=pin)
    if pixels:
        torch.stack(pixels, out=together)
    return SampleBatch(
        together,
        torch.tensor([row for row, _ in whole], dtype=torch.int64),
        tuple(sample for sample in samples if isinstance(sample, Broken)),
    )
