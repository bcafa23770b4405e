"""Texts of WebP files: RIFF chunk by chunk, over the pixels. RIFF has no checksums."""

from __future__ import annotations

import struct

from .exif import add_exif
from .png import is_c2pa
from .source import PARTS_LIMIT, Damaged, Source, Texts
from .xmp import decoded

SIZES = (b"VP8X", b"VP8L", b"VP8 ")


def is_webp(head: bytes) -> bool:
    """Whether a file begins as WebP does."""
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def read_webp(source: Source, texts: Texts) -> bool:
    """Add a WebP file's texts; gives whether it is one lossless image, without an animation."""
    kinds = set[bytes]()
    end = 8 + int.from_bytes(source.read(4, 4), "little")
    if end > source.size:
        texts.problem(f"the file is cut off: it ends at byte {source.size:,} of {end:,}")
    start = 12
    for _ in range(PARTS_LIMIT):
        head = source.read(start, 8)
        if start >= min(end, source.size) or len(head) < 8:
            break
        kind, length = head[:4], int.from_bytes(head[4:], "little")
        kinds.add(kind)
        try:
            if kind in SIZES:
                texts.size = texts.size or _size(kind, source.read(start + 8, min(length, 10)))
            elif kind in (b"EXIF", b"XMP ", b"C2PA"):
                _add_chunk(source, start, kind, length, texts)
        except Damaged as damage:
            texts.problem(damage)
        start += 8 + length + length % 2
    else:
        texts.problem(f"the file has more than {PARTS_LIMIT:,} chunks: no more are read")
    return b"VP8L" in kinds and b"ANMF" not in kinds


def _add_chunk(source: Source, start: int, kind: bytes, length: int, texts: Texts) -> None:
    what = f"chunk {kind.decode().strip()} at byte {start:,}"
    if kind == b"C2PA":
        texts.provenance |= is_c2pa(source.read(start + 8, min(length, 64)))
        return
    if start + 8 + length > source.size:
        raise Damaged(f"{what} is cut off: the file ends at byte {source.size:,}")
    texts.spend(length, what)
    content = source.exactly(start + 8, length, what)
    if kind == b"EXIF":
        add_exif(content, texts, what)
    else:
        texts.add("xmp", decoded(content, what))


def _size(kind: bytes, content: bytes) -> tuple[int, int] | None:
    """Width and height: of the canvas, or in the first bytes of the pixels (RFC 9649)."""
    if len(content) < 10 and not (kind == b"VP8L" and len(content) >= 5):
        return None
    if kind == b"VP8X":
        width = int.from_bytes(content[4:7], "little")
        return width + 1, int.from_bytes(content[7:10], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(content[1:5], "little")
        return ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1) if content[0] == 0x2F else None
    width, height = struct.unpack_from("<HH", content, 6)
    return (width & 0x3FFF, height & 0x3FFF) if content[3:6] == b"\x9d\x01\x2a" else None
