"""Texts of AVIF files: the items of the ``meta`` box (HEIF, ISO/IEC 23008-12) that are texts."""

from __future__ import annotations

import io
from dataclasses import dataclass

from .boxes import Box, Numbers, boxes
from .exif import add_exif
from .source import FIELD_LIMIT, Damaged, Source, Texts
from .xmp import decoded

_BRANDS = frozenset([b"avif", b"avis"])
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_XMP = b"application/rdf+xml"
_BOXES = 2_000
_ITEMS = 2_000
"""Items of an image: a grid of 64-pixel tiles for 4,096 x 2,048 pixels has as many."""

_EXTENTS = 64
"""Pieces of an item; writers make one."""

_META_LIMIT = 1 << 20


def is_avif(head: bytes) -> bool:
    """Whether a file begins as AVIF does: by its brand, or one that it is compatible with."""
    if head[4:8] != b"ftyp":
        return False
    brands = head[8 : min(int.from_bytes(head[:4], "big"), 256)]
    return any(brands[i : i + 4] in _BRANDS for i in range(0, len(brands), 4) if i != 4)


def read_avif(source: Source, texts: Texts) -> None:
    """Add an AVIF file's texts."""
    try:
        meta = None
        for box in boxes(source, 0, source.size, _BOXES):
            if box.kind == _C2PA:
                texts.provenance = True
            elif box.kind == b"meta" and not meta:  # there is one in a file
                meta = _Meta(source, box, texts)
                meta.add_items()
    except Damaged as damage:
        texts.problem(damage)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an item's bytes are: pieces of the file, or of the ``idat`` box in ``meta``."""

    in_idat: bool
    extents: tuple[tuple[int, int], ...]


class _Meta:
    """A ``meta`` box, read whole; the items that it names are elsewhere in the file."""

    def __init__(self, source: Source, box: Box, texts: Texts) -> None:
        if box.length > _META_LIMIT:
            raise Damaged(f"the meta box is not read: it has {box.length:,} bytes")
        self._file = source
        self._texts = texts
        content = source.exactly(box.start, box.length, "the meta box")
        self._inner = Source(io.BytesIO(content))
        self._boxes: dict[bytes, Box] = {}
        for part in boxes(self._inner, 4, len(content), _BOXES):
            self._boxes.setdefault(part.kind, part)

    def add_items(self) -> None:
        """Add the image's size and its texts."""
        self._texts.size = self._texts.size or self._size()
        places = self._places()
        for item, is_exif in self._named().items():
            what = f"{'EXIF' if is_exif else 'XMP'} (item {item})"
            try:
                content = self._content(places.get(item), what)
                if not is_exif:
                    self._texts.add("xmp", decoded(content, what))
                    continue
                skipped = 4 + int.from_bytes(content[:4], "big")
                if len(content) < skipped:
                    raise Damaged(f"{what} is damaged: it begins outside of itself")
                add_exif(content[skipped:], self._texts, what)
            except Damaged as damage:
                self._texts.problem(damage)

    def _numbers(self, kind: bytes) -> Numbers | None:
        box = self._boxes.get(kind)
        if box is None:
            return None
        return Numbers(self._inner.read(box.start, box.length), f"box {kind.decode()}")

    def _size(self) -> tuple[int, int] | None:
        """The largest of the sizes in the properties: tiles and thumbnails have smaller ones."""
        properties = self._boxes.get(b"iprp")
        sizes = [(0, 0)]
        if properties is None:
            return None
        for box in boxes(self._inner, properties.start, properties.start + properties.length, 100):
            if box.kind == b"ipco":
                for part in boxes(self._inner, box.start, box.start + box.length, _BOXES):
                    if part.kind == b"ispe" and part.length >= 12:
                        numbers = Numbers(self._inner.read(part.start + 4, 8), "box ispe")
                        sizes.append((numbers.number(4), numbers.number(4)))
        largest = max(sizes, key=lambda size: size[0] * size[1])
        return largest if all(largest) else None

    def _named(self) -> dict[int, bool]:
        """The items that hold EXIF (True) or XMP (False), in the order of their list."""
        box = self._boxes.get(b"iinf")
        if box is None:
            return {}
        wide = self._inner.read(box.start, 1) != b"\0"
        items = dict[int, bool]()
        first, end = box.start + (8 if wide else 6), box.start + box.length
        for entry in boxes(self._inner, first, end, _ITEMS):
            numbers = Numbers(self._inner.read(entry.start, entry.length), "box infe")
            version = numbers.number(1)
            if entry.kind != b"infe" or version not in (2, 3):
                continue
            numbers.raw(3)  # flags
            item = numbers.number(2 if version == 2 else 4)
            numbers.raw(2)  # protection
            kind = numbers.raw(4)
            numbers.text()  # the item's name
            if kind == b"Exif" or (kind == b"mime" and numbers.text() == _XMP):
                items[item] = kind == b"Exif"
        return items

    def _places(self) -> dict[int, _Place]:
        numbers = self._numbers(b"iloc")
        if numbers is None:
            return {}
        version = numbers.number(1)
        if version > 2:
            raise Damaged("box iloc is damaged: an unknown version")
        numbers.raw(3)  # flags
        widths = numbers.number(2)
        offset_width, length_width = widths >> 12, widths >> 8 & 15
        base_width, index_width = widths >> 4 & 15, widths & 15 if version else 0
        places = dict[int, _Place]()
        for _ in range(min(numbers.number(2 if version < 2 else 4), _ITEMS)):
            item = numbers.number(2 if version < 2 else 4)
            method = numbers.number(2) & 15 if version else 0
            numbers.raw(2)  # which file: only this one is read
            base, extents = numbers.number(base_width), list[tuple[int, int]]()
            count = numbers.number(2)
            if count > _EXTENTS:
                raise Damaged(f"box iloc is damaged: an item in {count:,} pieces")
            for _ in range(count):
                numbers.raw(index_width)
                extents.append((base + numbers.number(offset_width), numbers.number(length_width)))
            places[item] = _Place(method == 1, tuple(extents))
        return places

    def _content(self, place: _Place | None, what: str) -> bytes:
        if place is None:
            raise Damaged(f"{what} is damaged: it is nowhere")
        idat = self._boxes.get(b"idat", Box(b"", 0, 0))
        pieces = []
        for offset, length in place.extents:
            if length > FIELD_LIMIT:
                raise Damaged(f"{what} is not read: it has {length:,} bytes")
            self._texts.spend(length, what)
            if not place.in_idat:
                pieces.append(self._file.exactly(offset, length, what))
            elif offset + length > idat.length:
                raise Damaged(f"{what} is cut off")
            else:
                pieces.append(self._inner.exactly(idat.start + offset, length, what))
        return b"".join(pieces)
