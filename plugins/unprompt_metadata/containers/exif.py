"""Texts in an EXIF block: a TIFF structure of which two directories are read."""

from __future__ import annotations

import struct

from .decoding import latin1_or_utf8, until_nul, user_comment
from .source import Damaged, Texts

_SUB_IFD = 0x8769
_COMMENT = 0x9286
_TAGS = {
    0x010D: "DocumentName",
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    _COMMENT: "UserComment",
}
_WIDTHS = {1: 1, 2: 1, 7: 1, 129: 1}
"""Types that hold text (byte, ASCII, undefined, UTF-8), one byte a letter."""

_ENTRIES = 512
"""Entries of a directory; cameras write a few dozen."""


def add_exif(block: bytes, texts: Texts, where: str) -> None:
    """Add the texts of an EXIF block, in the order of its entries.

    Args:
        block: The bytes, with or without ``Exif`` and two NULs in front.
        texts: Gets the texts, and what could not be read.
        where: How problems name the block, such as ``EXIF at byte 30``.
    """
    block = block.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8 or struct.unpack_from(f"{order}H", block, 2)[0] != 42:
        texts.problem(f"{where} is damaged: it is no TIFF block")
        return
    tiff = _Tiff(block, order, texts, where)
    tiff.directory(struct.unpack_from(f"{order}I", block, 4)[0])


class _Tiff:
    """A TIFF block while it is read; each directory is read once, so none leads in a circle."""

    def __init__(self, block: bytes, order: str, texts: Texts, where: str) -> None:
        self._block = block
        self._order = order
        self._texts = texts
        self._where = where
        self._seen: set[int] = set()
        self._names: set[str] = set()

    def directory(self, start: int) -> None:
        """Read a directory and, once, the one of EXIF that it names."""
        if start in self._seen:
            return
        self._seen.add(start)
        if start + 2 > len(self._block):
            self._texts.problem(f"{self._where} is damaged: a directory is outside of it")
            return
        (count,) = struct.unpack_from(f"{self._order}H", self._block, start)
        if count > _ENTRIES or start + 2 + 12 * count > len(self._block):
            self._texts.problem(f"{self._where} is damaged: a directory of {count:,} entries")
            return
        for i in range(count):
            self._entry(start + 2 + 12 * i)

    def _entry(self, at: int) -> None:
        tag, kind, count, value = struct.unpack_from(f"{self._order}HHII", self._block, at)
        if tag == _SUB_IFD:
            if len(self._seen) < 2:
                self.directory(value)
            return
        name = _TAGS.get(tag)
        if name is None or kind not in _WIDTHS or name in self._names:
            return
        what = f"{name} of {self._where}"
        start = at + 8 if count <= 4 else value
        try:
            if start + count > len(self._block):
                raise Damaged(f"{what} is cut off")
            self._texts.spend(count, what)
            text = self._decoded(tag, self._block[start : start + count], what)
        except Damaged as damage:
            self._texts.problem(damage)
            return
        self._names.add(name)
        self._texts.add(f"exif:{name}", text)

    def _decoded(self, tag: int, content: bytes, what: str) -> str:
        if tag == _COMMENT:
            return user_comment(content, what, little=self._order == "<")
        return latin1_or_utf8(until_nul(content), what)
