"""Texts of PNG files (W3C PNG, third edition): chunk by chunk, over the pixels.

Every chunk has a checksum; a text whose checksum is wrong is dropped.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from .decoding import inflated, latin1_or_utf8, utf8
from .exif import add_exif
from .raw_profiles import add_raw_profile
from .source import PARTS_LIMIT, Damaged, Source, Texts
from .xmp import decoded as xmp_decoded

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"eXIf")
_XMP = "XML:com.adobe.xmp"
_KEYWORD = 79
"""Bytes of the longest keyword."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """Where a PNG file's pixels are.

    Attributes:
        header: The header chunk's 13 bytes.
        spans: Offset and length of each piece of compressed pixels.
    """

    header: bytes
    spans: tuple[tuple[int, int], ...]


def read_png(source: Source, texts: Texts) -> Pixels | None:
    """Add a PNG file's texts; gives where its pixels are, None if its header is damaged."""
    header, spans = b"", list[tuple[int, int]]()
    start = len(SIGNATURE)
    for _ in range(PARTS_LIMIT):
        head = source.read(start, 8)
        kind = head[4:]
        if len(head) < 8 or not kind.isalpha():
            state = "is cut off" if len(head) < 8 else "is damaged"
            texts.problem(f"the file {state}: no chunk at byte {start:,}")
            break
        length = int.from_bytes(head[:4], "big")
        if kind == b"IHDR" and not header:
            header = _header(source, start, length, texts)
        elif kind == b"IDAT":
            spans.append((start + 8, min(length, source.size - start - 8)))
        elif kind in _TEXTS or _misnamed(kind):
            _add_chunk(source, start, length, kind, texts)
        elif kind == b"caBX":
            texts.provenance |= is_c2pa(source.read(start + 8, min(length, 64)))
        elif kind == b"IEND":
            break
        start += 12 + length
    else:
        texts.problem(f"the file has more than {PARTS_LIMIT:,} chunks: no more are read")
    return Pixels(header, tuple(spans)) if header else None


def _misnamed(kind: bytes) -> bool:
    """Whether one letter makes it a text: then its checksum says whether the name is damaged."""
    return any(sum(a != b for a, b in zip(kind, text, strict=True)) == 1 for text in _TEXTS)


def is_c2pa(content: bytes) -> bool:
    """Whether a JUMBF box begins here that is a C2PA manifest store (C2PA 2.1, 11.1.4)."""
    return content[4:8] == b"jumb" and content[12:20] == b"jumdc2pa"


def _header(source: Source, start: int, length: int, texts: Texts) -> bytes:
    try:
        header = _checked(source, start, min(length, 13), b"IHDR", "the header")
    except Damaged as damage:
        texts.problem(damage)
        return b""
    if len(header) < 13:
        texts.problem("the header is damaged: it is too short")
        return b""
    width, height = struct.unpack_from(">II", header)
    texts.size = (width, height)
    return header


def _checked(source: Source, start: int, length: int, kind: bytes, what: str) -> bytes:
    """A chunk's content. Raises Damaged where it is cut off or its checksum is wrong."""
    content = source.exactly(start + 8, length + 4, what)
    if zlib.crc32(kind + content[:-4]) != int.from_bytes(content[-4:], "big"):
        raise Damaged(f"{what} is damaged: its checksum is wrong")
    return content[:-4]


def _add_chunk(source: Source, start: int, length: int, kind: bytes, texts: Texts) -> None:
    what = f"chunk {kind.decode()} at byte {start:,}"
    try:
        if start + 12 + length > source.size:
            raise Damaged(f"{what} is cut off: the file ends at byte {source.size:,}")
        texts.spend(length, what)
        content = _checked(source, start, length, kind, what)
        if kind not in _TEXTS:  # a name that only looks damaged
            return
        if kind == b"eXIf":
            add_exif(content, texts, what)
            return
        keyword, text = _text(content, kind, texts, what)
    except Damaged as damage:
        texts.problem(damage)
        return
    if keyword.startswith("Raw profile type "):
        add_raw_profile(keyword, text, texts, what)
    else:
        texts.add("xmp" if keyword == _XMP else f"png:{keyword}", text)


def _text(content: bytes, kind: bytes, texts: Texts, what: str) -> tuple[str, str]:
    """Keyword and text of a chunk."""
    key, nul, rest = content.partition(b"\0")
    if not (nul and 0 < len(key) <= _KEYWORD):
        raise Damaged(f"{what} is damaged: it has no keyword")
    keyword = key.decode("latin-1")
    what = f"{keyword!r} in {what}"
    if kind == b"tEXt":
        return keyword, latin1_or_utf8(rest, what)
    if kind == b"zTXt":
        if rest[:1] != b"\0":
            raise Damaged(f"{what} is damaged: an unknown compression")
        return keyword, latin1_or_utf8(inflated(rest[1:], texts, what), what)
    flags, parts = rest[:2], rest[2:].split(b"\0", 2)  # language and translated keyword come first
    if len(parts) < 3 or flags not in (b"\0\0", b"\1\0"):
        raise Damaged(f"{what} is damaged: its parts are missing")
    plain = parts[2] if flags == b"\0\0" else inflated(parts[2], texts, what)
    return keyword, xmp_decoded(plain, what) if keyword == _XMP else utf8(plain, what)
