"""Images in shards, opened by id at random, in any process and from several threads."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from unprompt._data.decoding import open_bytes
from unprompt._data.shards.lookup import Lookup
from unprompt._files.paths import shown
from unprompt._files.reading import open_file, reading
from unprompt.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

    Numbers = npt.NDArray[np.int64]

_OPEN_FILES = 64
"""Shards that a process keeps open; systems allow some 256 to 1,024 files."""


class StoredImages(ABC):
    """N images in shards; a `unprompt.contracts.ImageSource`.

    Another process is sent 40 bytes for each image: neither ids nor digests.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        lookup: Lookup,
        places: tuple[Numbers, Numbers, Numbers],
        digests: npt.NDArray[np.uint8],
    ) -> None:
        """Open nothing yet.

        Args:
            paths: The shards.
            lookup: The row of each id.
            places: By row: the number of its shard, and where it lies in there, each of shape (N,).
            digests: SHA-256 by row, of shape (N, 32).
        """
        self.paths = tuple(paths)
        self._lookup, self._places, self._digests = lookup, places, digests
        self._begin()

    def _begin(self) -> None:
        """What no other process is sent."""
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        """Everything but what is open, and the digests."""
        kept = ("paths", "_lookup", "_places")
        return {name: getattr(self, name) for name in kept}

    def __setstate__(self, state: dict[str, object]) -> None:
        """In another process."""
        self.__dict__.update(state)
        self._digests = np.empty((0, 32), np.uint8)
        self._begin()

    def open(self, image_id: str) -> Image:
        """The image as RGB, upright.

        Raises:
            DataError: The id is unknown, or the image cannot be read; names shard and id.
        """
        shard, first, second = (int(column[self._row(image_id)]) for column in self._places)
        name = f"{shown(self.paths[shard])}: {image_id}"
        return open_bytes(self._content(shard, first, second, name), name)

    def digest(self, image_id: str) -> str:
        """SHA-256 of the image's bytes, as a file of them has: copies are known as such.

        Raises:
            DataError: The id is unknown.
        """
        row = self._row(image_id)
        if not len(self._digests):
            raise DataError("a process that was sent these images holds no digests")
        digest: bytes = self._digests[row].tobytes()
        return digest.hex()

    def blocks(self, image_ids: Sequence[str]) -> list[int]:
        """For each image the number of the part of the storage that is best read together."""
        return [self._block(self._row(image_id)) for image_id in image_ids]

    @abstractmethod
    def _content(self, shard: int, first: int, second: int, name: str) -> bytes:
        """The bytes of an image. Raises DataError where they cannot be read."""

    @abstractmethod
    def _block(self, row: int) -> int:
        """The number of a row's block."""

    def _row(self, image_id: str) -> int:
        row = self._lookup.row(image_id)
        if row is None:
            raise DataError(f"no image for {image_id!r}")
        return row


class TarImages(StoredImages):
    """Images that are members of tar files, which are read at an offset."""

    def _begin(self) -> None:
        super()._begin()
        self._files: OrderedDict[int, _OpenFile] = OrderedDict()

    def _content(self, shard: int, first: int, second: int, name: str) -> bytes:
        file = self._file(shard)
        with reading(self.paths[shard]):
            content = os.pread(file.descriptor, second, first)
        if len(content) < second:
            raise DataError(f"{name}: the file was cut since it was first read")
        return content

    def _block(self, row: int) -> int:
        return int(self._places[0][row])

    def _file(self, shard: int) -> _OpenFile:
        """An open shard; the one that was not used for longest closes when nobody reads it."""
        with self._lock:
            if shard not in self._files:
                self._files[shard] = _OpenFile(self.paths[shard])
                if len(self._files) > _OPEN_FILES:
                    self._files.popitem(last=False)
            self._files.move_to_end(shard)
            return self._files[shard]


class _OpenFile:
    """A file that closes when the last thread that reads it has let it go."""

    def __init__(self, path: Path) -> None:
        with open_file(path) as file:
            self.descriptor = os.dup(file.fileno())

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):  # it could not be opened
            os.close(self.descriptor)
