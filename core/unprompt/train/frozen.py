"""Frozen features of images, kept: a tower sees an image once, whatever is fitted on it later.

A file of SQLite in unprompt's cache for each tower and precision; a row of it is an image, by the
hash of its content. So a split, a fold or a data set that grew finds what it shares with an
earlier one, and a killed process loses the batches that it was at.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

import unprompt
from unprompt._files import paths
from unprompt._files.hashing import content_hash
from unprompt.contracts import Images, ImageSource, Runtime
from unprompt.errors import DataError
from unprompt.towers import forward_batches
from unprompt.train.feature_store import FeatureStore
from unprompt.types import FloatArray, PlainData

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

_LAYOUT = 1
"""Raise it when rows come to mean something else."""


class Frozen(Protocol):
    """What `features` needs of a tower, as `unprompt.towers.ImageTower` has it."""

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        ...

    def preprocess(self, image: Image) -> torch.Tensor:
        """An image as the tower's pixels."""
        ...

    def features(self, pixels: torch.Tensor) -> FloatArray:
        """Pixels (n, 3, H, W) -> float32 of shape (n, F)."""
        ...


def features(
    tower: Callable[[], Frozen],
    identity: Mapping[str, PlainData],
    images: Images,
    runtime: Runtime,
    *,
    folder: Path | None = None,
    what: str = "features",
    broken: dict[str, str] | None = None,
) -> FloatArray:
    """The tower's features of each image, from the cache where they are there.

    Args:
        tower: Gives the tower; called only if an image's features are not known.
        identity: What the tower is by content, preprocess included, such as
            `unprompt.towers.ImageTower.identity`.
        images: N images, at least one.
        runtime: Precision, which features depend on; batch size, threads and progress. In a dry
            run, whose towers are random, nothing is kept.
        folder: Where to keep them; None: in unprompt's cache.
        what: Names the work in the progress display.
        broken: Gets the ids of images that cannot be read, each with the reason; None: the first
            one ends it.

    Returns:
        float32 of shape (N, F), in the order of ``images.ids``; do not write to it. More than 1 GiB
        is mapped from a temporary file. The rows of broken images are zero.

    Raises:
        DataError: An image cannot be read, or none can, or a feature is not finite.
        OutputError: The cache cannot be written.
    """
    source = _Tolerant(images.source, broken)
    images = Images(images.ids, source)
    if runtime.dry_run:
        return np.concatenate([rows for _, rows in _computed(tower(), images, runtime, what)])
    key: PlainData = [_LAYOUT, unprompt.__version__, identity, runtime.precision]
    root = paths.cache_folder() / "features" if folder is None else folder
    digests = [source.digest(name) for name in images.ids]
    with closing(FeatureStore(root / f"{content_hash(key)}.sqlite")) as store:
        known = store.known(digests)
        missing = _firsts(images.ids, digests, known)
        if missing:
            new = images.select(list(missing))
            for ids, rows in _computed(tower(), new, runtime, what):
                whole = [i for i, name in enumerate(ids) if name not in source.broken]
                store.add([missing[ids[i]] for i in whole], rows[whole])
        reasons = {missing[name]: source.broken[name] for name in missing if name in source.broken}
        for name, digest in zip(images.ids, digests, strict=True):
            if digest in reasons:
                source.broken[name] = reasons[digest]
        return store.rows(digests, reasons)


def _firsts(ids: Sequence[str], digests: Sequence[str], known: Collection[str]) -> dict[str, str]:
    """The first image of each content that is not known, and its digest, in their order."""
    first: dict[str, str] = {}
    for name, digest in zip(ids, digests, strict=True):
        if digest not in known:
            first.setdefault(digest, name)
    return {name: digest for digest, name in first.items()}


@dataclass(frozen=True, slots=True)
class _Tolerant:
    """Images of which some cannot be read: those are black, and named in `broken`.

    Attributes:
        source: Opens the others.
        given: The caller's `broken`; None: an image that cannot be read is an error.
        broken: Ids with the reason.
    """

    source: ImageSource
    given: dict[str, str] | None
    broken: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "broken", {} if self.given is None else self.given)

    def open(self, image_id: str) -> Image:
        """The image, or a black one."""
        from PIL import Image

        try:
            return self.source.open(image_id)
        except DataError as error:
            self._note(image_id, error)
            return Image.new("RGB", (8, 8))

    def digest(self, image_id: str) -> str:
        """The image's; where it has none, a text that no other image has."""
        try:
            return self.source.digest(image_id)
        except DataError as error:
            self._note(image_id, error)
            return f"unreadable: {image_id}"

    def _note(self, image_id: str, error: DataError) -> None:
        if self.given is None:
            raise error
        self.broken[image_id] = "; ".join(error.problems)


def _computed(
    tower: Frozen, images: Images, runtime: Runtime, what: str
) -> Iterator[tuple[tuple[str, ...], FloatArray]]:
    """Ids and features, batch by batch."""
    batches = forward_batches(
        images, tower.preprocess, tower.features, runtime, tower.size, what=what
    )
    with closing(batches):
        yield from batches
