"""Bounded reading: what a file costs does not depend on what it claims."""

from __future__ import annotations

import os
from typing import BinaryIO

from unprompt_metadata.fields import Field

FIELD_LIMIT = 4 << 20
"""Bytes of one text, inflated: four times the largest ComfyUI graph that was seen."""

FILE_LIMIT = 16 << 20
"""Bytes that are read and inflated for all texts of a file; what is beyond is not read."""

PARTS_LIMIT = 50_000
"""Chunks, boxes, segments or sub-blocks of a file; PNG with pieces of 8 kB then has 400 MB."""

_HEAD = 1024
"""Bytes of the first read: a JPEG without metadata has all of its segments there."""

_PROBLEMS = 20


class Damaged(Exception):
    """A part of a file cannot be read; the text is the problem's line."""


class Source:
    """A file's bytes by offset, its first ones kept.

    Attributes:
        size: Bytes of the file.
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Take a binary stream that can seek; it is read from its start."""
        self.size = stream.seek(0, os.SEEK_END)
        self._stream = stream
        self._head = self._from_stream(0, _HEAD)

    def read(self, start: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``start`` on; fewer only where the file ends."""
        count = min(count, self.size - start)
        if count <= 0:
            return b""
        end = start + count
        return self._head[start:end] if end <= len(self._head) else self._from_stream(start, count)

    def exactly(self, start: int, count: int, what: str) -> bytes:
        """``count`` bytes from ``start`` on. Raises Damaged where the file ends before."""
        content = self.read(start, count) if start + count <= self.size else b""
        if len(content) < count:
            raise Damaged(f"{what} is cut off: the file ends at byte {self.size:,}")
        return content

    def _from_stream(self, start: int, count: int) -> bytes:
        self._stream.seek(start)
        pieces = []
        while count > 0 and (piece := self._stream.read(count)):  # raw files may give fewer
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)


class Texts:
    """What a reader finds in a file.

    Attributes:
        size: Width and height in pixels, once known.
        fields: Texts in the order in which they were added.
        provenance: Whether there is a C2PA manifest.
        problems: What could not be read; after twenty one last line says so.
    """

    def __init__(self) -> None:
        """Begin without texts."""
        self.size: tuple[int, int] | None = None
        self.fields: list[Field] = []
        self.provenance = False
        self.problems: list[str] = []
        self._spent = 0

    def add(self, name: str, text: str) -> None:
        """Keep a text without its trailing NULs; an empty one is none."""
        if text := text.rstrip("\0"):
            self.fields.append(Field(name, text))

    def problem(self, what: object) -> None:
        """Say what could not be read."""
        if len(self.problems) < _PROBLEMS:
            line = " ".join(str(what).split())
            self.problems.append("".join(c if c.isprintable() else repr(c)[1:-1] for c in line))
        elif len(self.problems) == _PROBLEMS:
            self.problems.append("more than could be listed")

    def room(self, what: str) -> int:
        """Bytes that the next text may have. Raises Damaged where none are left."""
        room = min(FIELD_LIMIT, FILE_LIMIT - self._spent)
        if room <= 0:
            raise Damaged(f"{what} is not read: the file has over {FILE_LIMIT:,} bytes of text")
        return room

    def spend(self, count: int, what: str) -> None:
        """Count bytes before they are read, or as they are inflated. Raises Damaged if too many."""
        if count > (room := self.room(what)):
            raise Damaged(f"{what} is not read: it has more than {room:,} bytes")
        self._spent += count
