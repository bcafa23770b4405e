"""Boxes of the ISO base media file format (ISO/IEC 14496-12), in a file or in bytes of one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from .source import Damaged, Source

_UUID = b"uuid"


@dataclass(frozen=True, slots=True)
class Box:
    """A box.

    Attributes:
        kind: Its type, or the 16 bytes of its own type where it is a ``uuid`` box.
        start: Offset of its content.
        length: Bytes of its content.
    """

    kind: bytes
    start: int
    length: int


def boxes(source: Source, start: int, end: int, limit: int) -> Iterator[Box]:
    """The boxes between two offsets.

    Raises:
        Damaged: A box is larger than what it is in, or smaller than its own header, or there are
            more than ``limit``.
    """
    for _ in range(limit):
        if start >= end:
            return
        head = source.exactly(start, 8, f"box at byte {start:,}")
        length, kind, inner = int.from_bytes(head[:4], "big"), head[4:], start + 8
        if length == 1:
            length = int.from_bytes(source.exactly(inner, 8, f"box at byte {start:,}"), "big")
            inner += 8
        elif length == 0:  # up to the end of what it is in
            length = end - start
        if kind == _UUID:
            kind = source.exactly(inner, 16, f"box at byte {start:,}")
            inner += 16
        if start + length > end:
            raise Damaged(f"box at byte {start:,} is cut off")
        if start + length < inner:
            raise Damaged(f"box at byte {start:,} is damaged: its length is {length}")
        yield Box(kind, inner, start + length - inner)
        start += length
    if start < end:
        raise Damaged(f"more than {limit:,} boxes: no more are read")


class Numbers:
    """Big-endian numbers and texts, one after another, of a box's content."""

    def __init__(self, content: bytes, what: str) -> None:
        """Begin at the start of the content."""
        self._stream = io.BytesIO(content)
        self._what = what

    def number(self, width: int) -> int:
        """The next number of ``width`` bytes; 0 bytes are 0. Raises Damaged at the end."""
        return int.from_bytes(self.raw(width), "big")

    def raw(self, count: int) -> bytes:
        """The next bytes. Raises Damaged at the end."""
        content = self._stream.read(count)
        if len(content) < count:
            raise Damaged(f"{self._what} is damaged: it is too short")
        return content

    def text(self) -> bytes:
        """The bytes up to the next NUL, or to the end."""
        rest = self._stream.read()
        text, nul, _ = rest.partition(b"\0")
        self._stream.seek(len(text) + len(nul) - len(rest), io.SEEK_CUR)
        return text
