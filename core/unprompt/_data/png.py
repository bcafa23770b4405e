"""PNG files whose texts or colour profile are larger than Pillow reads: the pixels are whole."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
ASIDE = frozenset([b"tEXt", b"zTXt", b"iTXt", b"iCCP"])
"""Chunks that no pixel depends on. ``eXIf``, which may turn the image, is none of them."""
SMALL = 1000
"""Bytes of such a chunk that is kept: unpacked, they are at most 1,032 times as many."""
KEPT = 32
"""Such chunks that are kept; Pillow reads 64 MiB of them."""

_BLOCK = 2**20


@contextmanager
def without_texts(path: Path) -> Iterator[IO[bytes]]:
    """A temporary copy of a PNG file without its large texts and colour profile.

    The copy is on disk, so that memory does not depend on the file's size; the file itself is not
    changed. What follows a broken chunk is copied as it is, for the decoder to judge.
    """
    with path.open("rb") as source, without_texts_of(source) as copy:
        yield copy


@contextmanager
def without_texts_of(source: IO[bytes]) -> Iterator[IO[bytes]]:
    """As `without_texts`, of an open PNG file at its start."""
    with tempfile.TemporaryFile() as copy:
        copy.write(source.read(len(SIGNATURE)))
        aside = 0
        while len(head := source.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            aside += kind in ASIDE
            if kind in ASIDE and (length > SMALL or aside > KEPT):
                source.seek(length + 4, 1)
                continue
            copy.write(head)
            _copy(source, copy, length + 4)
        copy.write(head)
        copy.seek(0)
        yield copy


def is_png(path: Path) -> bool:
    """Whether the file starts as a PNG does."""
    with path.open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def _copy(source: IO[bytes], copy: IO[bytes], length: int) -> None:
    """Copy ``length`` bytes, or as many as there are."""
    while length and (block := source.read(min(length, _BLOCK))):
        copy.write(block)
        length -= len(block)
