"""CLIP embeddings of images, which are not computed twice where they were asked for before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from unprompt.contracts import Images, Runtime
from unprompt.embeddings import Embeddings
from unprompt.towers.clip import ClipTowers
from unprompt.towers.sources import OpenClipSource
from unprompt.towers.stream import forward_batches
from unprompt.towers.views import View
from unprompt.types import FloatArray

if TYPE_CHECKING:
    import torch

Queries = Iterator[tuple[tuple[str, ...], FloatArray]]
"""Ids with their unit rows of shape (n, C), batch by batch."""


class ClipQueries:
    """What CLIP makes of images, averaged over views.

    `embeddings` keeps its rows, by the images' content, and `batches` takes them from there: a
    family whose embeddings are asked for and that then predicts runs its tower once.
    """

    def __init__(self, clip: ClipTowers, views: tuple[View, ...], runtime: Runtime) -> None:
        """Store all three."""
        self._clip, self._views, self._runtime = clip, views, runtime
        self._kept: dict[str, FloatArray] = {}

    def batches(self, images: Images, *, what: str) -> Queries:
        """The embeddings of N images, in the order of ``images.ids``.

        Args:
            images: N images.
            what: Names the work in the progress display.
        """
        digests = [images.digest(name) for name in images.ids] if self._kept else []
        if digests and all(digest in self._kept for digest in digests):
            size = self._runtime.batch_size
            for start in range(0, len(images), size):
                part = slice(start, start + size)
                yield images.ids[part], np.stack([self._kept[digest] for digest in digests[part]])
            return

        def seen(pixels: torch.Tensor) -> FloatArray:
            return self._clip.images(pixels, self._views)

        clip, runtime = self._clip, self._runtime
        made = forward_batches(images, clip.preprocess, seen, runtime, clip.size, what=what)
        with closing(made):
            yield from made

    def embeddings(self, images: Images, *, what: str) -> Iterator[Embeddings]:
        """The same as embeddings by id; the rows are kept."""
        for ids, rows in self.batches(images, what=what):
            self._kept.update(zip(map(images.digest, ids), rows, strict=True))
            yield Embeddings(ids, rows)


class ClipBackbone:
    """Both towers of a CLIP and its embeddings of images, loaded when they are first used."""

    def __init__(
        self, source: OpenClipSource, views: tuple[View, ...], runtime: Runtime, owner: str
    ) -> None:
        """Store all four; ``owner`` is who needs the towers, for error lines."""
        self._source, self._views, self._runtime, self._owner = source, views, runtime, owner

    @cached_property
    def clip(self) -> ClipTowers:
        """The towers. Raises as `ClipTowers` does."""
        return ClipTowers(self._source, self._runtime, self._owner)

    @cached_property
    def queries(self) -> ClipQueries:
        """Embeddings of images."""
        return ClipQueries(self.clip, self._views, self._runtime)

    def close(self) -> None:
        """Drop both; used again, they are loaded again."""
        for name in ("clip", "queries"):
            self.__dict__.pop(name, None)
