"""Texts of JPEG files: segment by segment up to the scan, which nothing that is read comes after.

Segments have no checksum, except extended XMP, which is named by its MD5.
"""

from __future__ import annotations

import hashlib
import re
import struct

from .decoding import latin1_or_utf8
from .exif import add_exif
from .png import is_c2pa
from .source import FIELD_LIMIT, PARTS_LIMIT, Damaged, Source, Texts
from .xmp import decoded

SIGNATURE = b"\xff\xd8\xff"
_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
_EXTENDED_NAME = re.compile(r"HasExtendedXMP\s*(?:=\s*[\"']|>)\s*([0-9A-Fa-f]{32})")
_APP1, _APP11, _COMMENT, _SCAN, _END = 0xE1, 0xEB, 0xFE, 0xDA, 0xD9
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Segments with the image's size; the three are tables of Huffman codes, JPG, and conditioning."""

_BARE = frozenset([0x01, *range(0xD0, 0xD8)])
"""Markers without a length."""


def read_jpeg(source: Source, texts: Texts) -> None:
    """Add a JPEG file's texts."""
    segments = _Segments(texts)
    start = 2
    for _ in range(PARTS_LIMIT):
        head = source.read(start, 4)
        if head[:2] == b"\xff\xff":  # a marker may have any number of these in front
            start += 1
            continue
        marker = head[1] if len(head) > 1 and head[0] == 0xFF else None
        if marker in (_SCAN, _END):
            break
        if marker in _BARE:
            start += 2
            continue
        length = struct.unpack_from(">H", head, 2)[0] if len(head) == 4 else 0
        if marker is None or length < 2:
            state = "is cut off" if len(head) < 4 else "is damaged"
            texts.problem(f"the file {state}: no segment at byte {start:,}")
            break
        segments.take(source, start, marker, length - 2)
        start += 2 + length
    else:
        texts.problem(f"the file has more than {PARTS_LIMIT:,} segments: no more are read")
    segments.finish()


class _Segments:
    """What segments hold, and what is spread over several of them."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._exif = b""
        self._exif_at = ""
        self._pieces: dict[str, dict[int, bytes]] = {}
        self._lengths: dict[str, int] = {}
        self._wanted: list[str] = []

    def take(self, source: Source, start: int, marker: int, length: int) -> None:
        """Read one segment where it may hold a text, the size or a manifest."""
        what = f"segment {marker:02X} at byte {start:,}"
        try:
            if marker in _FRAMES:
                self._frame(source.exactly(start + 4, min(length, 5), what), what)
            elif marker == _APP11:
                head = source.read(start + 4, min(length, 64))
                self._texts.provenance |= head[:2] == b"JP" and is_c2pa(head[8:])
            elif marker == _COMMENT:
                content = self._content(source, start, length, what)
                self._texts.add("jpeg:comment", latin1_or_utf8(content, what))
            elif marker == _APP1:
                self._application(source, start, length, what)
        except Damaged as damage:
            self._texts.problem(damage)

    def finish(self) -> None:
        """Add what was spread over segments."""
        self._end_exif()
        for name in self._wanted:
            what = "extended XMP"
            try:
                self._texts.add("xmp", decoded(self._extended(name, what), what))
            except Damaged as damage:
                self._texts.problem(damage)

    def _frame(self, content: bytes, what: str) -> None:
        if len(content) < 5:
            raise Damaged(f"{what} is damaged: it is too short")
        height, width = struct.unpack_from(">HH", content, 1)
        self._texts.size = self._texts.size or (width, height)

    def _content(self, source: Source, start: int, length: int, what: str) -> bytes:
        self._texts.spend(length, what)
        return source.exactly(start + 4, length, what)

    def _application(self, source: Source, start: int, length: int, what: str) -> None:
        head = source.read(start + 4, min(length, len(_EXTENDED)))
        if head.startswith(_EXIF):
            self._part_of_exif(self._content(source, start, length, what)[len(_EXIF) :], what)
        elif head.startswith(_XMP):
            self._end_exif()
            packet = decoded(self._content(source, start, length, what)[len(_XMP) :], what)
            self._texts.add("xmp", packet)
            self._wanted += [name.upper() for name in _EXTENDED_NAME.findall(packet)[:1]]
        elif head == _EXTENDED:
            self._part_of_extended(self._content(source, start, length, what)[len(head) :], what)

    def _part_of_exif(self, content: bytes, what: str) -> None:
        """A block over 64 kB goes on in the next segment, which then begins with no TIFF mark."""
        if self._exif and content[:4] in (b"II*\0", b"MM\0*"):
            self._end_exif()
        if len(self._exif) + len(content) > FIELD_LIMIT:
            raise Damaged(f"{what} is not read: EXIF of more than {FIELD_LIMIT:,} bytes")
        self._exif_at = self._exif_at or what
        self._exif += content

    def _end_exif(self) -> None:
        if self._exif_at:
            add_exif(self._exif, self._texts, self._exif_at)
        self._exif, self._exif_at = b"", ""

    def _part_of_extended(self, content: bytes, what: str) -> None:
        if len(content) < 40:
            raise Damaged(f"{what} is damaged: it is too short")
        name = content[:32].decode("latin-1").upper()
        length, offset = struct.unpack_from(">II", content, 32)
        self._lengths.setdefault(name, length)
        self._pieces.setdefault(name, {})[offset] = content[40:]

    def _extended(self, name: str, what: str) -> bytes:
        """The parts in their order (XMP specification, part 3, 1.1.3.1), checked by their MD5."""
        pieces = self._pieces.get(name, {})
        content = b"".join(pieces[offset] for offset in sorted(pieces))
        if len(content) != self._lengths.get(name) or len(content) > FIELD_LIMIT:
            raise Damaged(f"{what} is damaged: parts of it are missing")
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if digest.upper() != name:
            raise Damaged(f"{what} is damaged: its checksum is wrong")
        return content
