"""Texts in the lowest bits of pixels ("stealth pnginfo"), which survive what drops metadata.

A signature of 15 bytes names channel and compression; then come 32 bits, the number of bits of
the text, and the text: down the columns, one bit a pixel in the alpha channel or three a pixel in
red, green and blue. Source: AUTOMATIC1111's extension sd_webui_stealth_pnginfo.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .decoding import inflated, utf8
from .first_pixels import first_pixels
from .png import SIGNATURE, Pixels
from .source import FIELD_LIMIT, Damaged, Source, Texts

if TYPE_CHECKING:
    from PIL import Image

_LENGTH_BITS = 32
_SIGNATURE_BITS = 120
_PNG_PIXELS = 16 << 20
"""Pixels of the largest PNG image that is decoded, which takes 4 bytes each and the file's."""

_WEBP_PIXELS = 6 << 20
"""Pixels of the largest lossless WebP image that is decoded, which takes 16 bytes each."""

_ROWS_LIMIT = 64 << 20
"""Bytes of the rows that a signature is looked for in."""

_ROOM = 1 << 20
"""Bytes that a file may have beyond five for each pixel."""

_STRIP = 64
"""Columns whose bits are taken at a time."""

_UNDECODED = (OSError, ValueError, SyntaxError, EOFError, MemoryError, struct.error)
"""What Pillow raises on damaged pixels."""

_MODES = {2: "RGB", 6: "RGBA"}
"""PNG's types of colour that have the channels, with 8 bits each."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the four ways to write a text.

    Attributes:
        signature: What the text begins with.
        channels: The channels with its bits, in their order.
        gzip: Whether the text is compressed.
    """

    signature: bytes
    channels: tuple[int, ...]
    gzip: bool

    @property
    def name(self) -> str:
        """The field's name."""
        return "stealth:alpha" if self.channels == (3,) else "stealth:rgb"

    def bit(self, i: int) -> int:
        """A bit of the signature."""
        return self.signature[i // 8] >> (7 - i % 8) & 1

    def pixels(self, bits: int) -> int:
        """How many pixels hold so many bits."""
        return -(-bits // len(self.channels))

    def agrees(self, row: bytes, y: int, height: int, pixel: int) -> bool:
        """Whether the first pixels of row ``y`` have the signature's bits."""
        count = len(self.channels)
        for x in range(len(row) // pixel):
            for j, channel in enumerate(self.channels):
                i = (x * height + y) * count + j
                if i < _SIGNATURE_BITS and row[x * pixel + channel] & 1 != self.bit(i):
                    return False
        return True


_KINDS = (
    _Kind(b"stealth_pnginfo", (3,), False),
    _Kind(b"stealth_pngcomp", (3,), True),
    _Kind(b"stealth_rgbinfo", (0, 1, 2), False),
    _Kind(b"stealth_rgbcomp", (0, 1, 2), True),
)


def add_png_stealth(source: Source, pixels: Pixels, texts: Texts) -> None:
    """Add the text in a PNG image's pixels, if its first pixels have a signature.

    Pixels are inflated up to the first bit that is no signature's: one row, mostly.
    """
    width, height, depth, colour = struct.unpack_from(">IIBB", pixels.header)
    mode = _MODES.get(colour)
    if mode is None or depth != 8 or not pixels.spans:
        return
    try:
        kinds = _begun(source, pixels, (width, height), len(mode))
        if kinds and width * height > _PNG_PIXELS:
            raise Damaged(f"a text in the pixels is not read: {width} x {height} are too many")
        if kinds:
            _add(_checked_png(source, pixels, width * height), "PNG", (width, height), texts)
    except Damaged as damage:
        texts.problem(damage)


def add_webp_stealth(source: Source, texts: Texts) -> None:
    """Add the text in a lossless WebP image's pixels; the image is decoded whole for it."""
    width, height = texts.size or (0, 0)
    if not 0 < width * height <= _WEBP_PIXELS or source.size > 5 * width * height + _ROOM:
        return
    try:
        _add(io.BytesIO(source.read(0, source.size)), "WEBP", (width, height), texts)
    except Damaged as damage:
        texts.problem(damage)


def _begun(source: Source, pixels: Pixels, size: tuple[int, int], pixel: int) -> tuple[_Kind, ...]:
    """The kinds whose signature the first pixels have; of an interlaced image, its very first."""
    width, height = size
    kinds = tuple(kind for kind in _KINDS if max(kind.channels) < pixel)
    kinds = tuple(kind for kind in kinds if kind.pixels(_SIGNATURE_BITS) <= width * height)
    if not kinds:
        return ()
    needed = max(kind.pixels(_SIGNATURE_BITS) for kind in kinds)
    columns = -(-needed // height)
    rows = min(height, needed)
    if pixels.header[12]:
        columns, rows = 1, 1
    if rows * width * pixel > _ROWS_LIMIT:
        return ()
    found = first_pixels(source, pixels.spans, width * pixel, columns * pixel, pixel)
    for y, row in zip(range(rows), found, strict=False):
        kinds = tuple(kind for kind in kinds if kind.agrees(row, y, height, pixel))
        if not kinds:
            break
    return kinds


def _checked_png(source: Source, pixels: Pixels, count: int) -> io.BytesIO:
    """A PNG file of nothing but pixels, whose checksums were compared.

    Raises:
        Damaged: A checksum is wrong, pixels are missing, or they take more than they need.
    """
    if sum(length for _, length in pixels.spans) > 5 * count + _ROOM:
        raise Damaged("a text in the pixels is not read: they have too many bytes")
    file = io.BytesIO()
    file.write(SIGNATURE + _chunk(b"IHDR", pixels.header))
    for start, length in pixels.spans:
        content = source.exactly(start, length + 4, "a piece of the pixels")
        if zlib.crc32(b"IDAT" + content[:-4]) != int.from_bytes(content[-4:], "big"):
            raise Damaged("the pixels are damaged: a checksum is wrong")
        file.write(_chunk(b"IDAT", content[:-4]))
    file.write(_chunk(b"IEND", b""))
    return file


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + _crc(kind, content)


def _crc(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))


def _add(file: io.BytesIO, form: str, size: tuple[int, int], texts: Texts) -> None:
    """Add the text of an image's pixels, whichever kind it is."""
    from PIL import Image

    file.seek(0)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=[form]) as image:
            if image.size != size:
                raise Damaged("the pixels are damaged: they have another size")
            image.load()
            file.close()
            for kind in _KINDS:
                if max(kind.channels) < len(image.getbands()) and image.mode in _MODES.values():
                    _add_kind(image, kind, texts)
    except _UNDECODED as error:
        raise Damaged("the pixels are damaged: they cannot be decoded") from error


def _add_kind(image: Image.Image, kind: _Kind, texts: Texts) -> None:
    """Add the text of one kind, where the image begins with its signature."""
    head = _bits(image, kind, _SIGNATURE_BITS + _LENGTH_BITS)
    if head is None or head[:15] != kind.signature:
        return
    what = f"the text in the pixels ({kind.signature.decode()})"
    length = int.from_bytes(head[15:19], "big")
    if length % 8 or length > 8 * FIELD_LIMIT:
        raise Damaged(f"{what} is not read: it is said to have {length:,} bits")
    texts.spend(length // 8, what)
    content = _bits(image, kind, _SIGNATURE_BITS + _LENGTH_BITS + length)
    if content is None:
        raise Damaged(f"{what} is damaged: {length:,} bits are more than the pixels have")
    plain = inflated(content[19:], texts, what, gzip=True) if kind.gzip else content[19:]
    texts.add(kind.name, utf8(plain, what))


def _bits(image: Image.Image, kind: _Kind, count: int) -> bytes | None:
    """The first bits of a kind, packed into bytes; None where there are fewer pixels."""
    import numpy as np

    width, height = image.size
    columns = -(-kind.pixels(count) // height)
    if columns > width:
        return None
    bits = np.empty(columns * height * len(kind.channels), np.uint8)
    each = height * len(kind.channels)
    for x in range(0, columns, _STRIP):
        end = min(columns, x + _STRIP)
        strip = np.asarray(image.crop((x, 0, end, height)))[..., list(kind.channels)]
        bits[x * each : end * each] = (strip & 1).transpose(1, 0, 2).reshape(-1)
    return np.packbits(bits[:count]).tobytes()
