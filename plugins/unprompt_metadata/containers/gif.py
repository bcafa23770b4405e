"""Texts of GIF files: comments and XMP between the images, whose sub-blocks are stepped over."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .decoding import latin1_or_utf8
from .source import Damaged, Source, Texts
from .xmp import decoded

SIGNATURES = (b"GIF87a", b"GIF89a")
_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B
_COMMENT, _APPLICATION = 0xFE, 0xFF
_LIMIT = 64 << 20
"""Bytes of sub-blocks that are stepped over; what comes after them is not read."""

_EACH, _BLOCK = 64, 512
"""Bytes that a sub-block and a block count for, beside those that are read."""

_SMALL, _LARGE = 256, 1 << 16
"""Bytes of the first window of sub-blocks, and of the largest."""

_TOO_MUCH = "the file has too many blocks: no more are read"
_END_OF_FILE = "the file is cut off: a block has no end"
_XMP_TRAILER = b"\x01\xff\xfe\xfd\xfc"
"""How the 258 bytes begin that lead any reader of sub-blocks out of XMP, which has none."""


def read_gif(source: Source, texts: Texts) -> None:
    """Add a GIF file's texts."""
    try:
        screen = source.exactly(6, 7, "the header")
        texts.size = struct.unpack_from("<HH", screen)
        _Blocks(source, texts).read(13 + _table(screen[4]))
    except Damaged as damage:
        texts.problem(damage)


def _table(flags: int) -> int:
    """Bytes of a table of colours."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


@dataclass(slots=True)
class _Blocks:
    """A GIF file's blocks, and how many bytes of them may still be read."""

    source: Source
    texts: Texts
    left: int = _LIMIT

    def read(self, start: int) -> None:
        """Read block by block. Raises Damaged where the file is cut off or has too many."""
        while True:
            kind = self._byte(start)
            if kind == _END:
                return
            if kind == _IMAGE:
                flags = self.source.exactly(start + 1, 9, "an image")[8]
                start = self._end(start + 11 + _table(flags))
            elif kind == _EXTENSION:
                start = self._extension(start, self._byte(start + 1))
            else:
                raise Damaged(f"the file is damaged: no block at byte {start:,}")

    def _extension(self, start: int, label: int) -> int:
        what = f"extension {label:02X} at byte {start:,}"
        if label == _COMMENT:
            end = self._end(start + 2)
            comment = f"comment at byte {start:,}"
            content = self._raw(start + 2, end, comment)
            self.texts.add("gif:comment", latin1_or_utf8(_joined(content), comment))
            return end
        if label != _APPLICATION or self._byte(start + 2) != 11:
            return self._end(start + 2)
        name = self.source.exactly(start + 3, 11, what)
        end = self._end(start + 14)
        if name.startswith(b"C2PA_GIF"):
            self.texts.provenance = True
        elif name == b"XMP DataXMP":
            self._xmp(start + 14, end, f"XMP at byte {start:,}")
        return end

    def _xmp(self, start: int, end: int, what: str) -> None:
        packet, trailer, _ = self._raw(start, end, what).rpartition(_XMP_TRAILER)
        try:
            if not trailer:
                raise Damaged(f"{what} is damaged: its end is missing")
            self.texts.add("xmp", decoded(packet, what))
        except Damaged as damage:
            self.texts.problem(damage)

    def _raw(self, start: int, end: int, what: str) -> bytes:
        self.texts.spend(end - start, what)
        return self.source.exactly(start, end - start, what)

    def _end(self, start: int) -> int:
        """Where the sub-blocks end that begin at ``start``.

        Each has at most 255 bytes and only says where the next one is, so that every page of the
        file is read in any case: windows of it are quicker than a byte of each sub-block.
        """
        window, base, size = b"", start, _SMALL
        while True:
            if start >= base + len(window):
                window, base = self.source.read(start, size), start
                size = min(2 * size, _LARGE)
                self.left -= len(window)
                if not window or self.left < 0:
                    raise Damaged(_END_OF_FILE if not window else _TOO_MUCH)
            length = window[start - base]
            if not length:
                return start + 1
            start += 1 + length
            self.left -= _EACH

    def _byte(self, at: int) -> int:
        self.left -= _BLOCK
        if self.left < 0:
            raise Damaged(_TOO_MUCH)
        return self.source.exactly(at, 1, "the file")[0]


def _joined(content: bytes) -> bytes:
    """What sub-blocks hold."""
    pieces, start = list[bytes](), 0
    while start < len(content) and (length := content[start]):
        pieces.append(content[start + 1 : start + 1 + length])
        start += 1 + length
    return b"".join(pieces)
