"""Small image files that carry texts, in each format and each place that generators use.

Containers are written by hand or by Pillow, never by the code under test.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

Chunk = Literal["tEXt", "zTXt", "iTXt", "iTXt-deflated", "utf8-tEXt"]
Comment = Literal["unicode-be", "unicode-le", "ascii", "utf8", "jis"]
Stealth = Literal["pnginfo", "pngcomp", "rgbinfo", "rgbcomp"]

TAGS = {
    "ImageDescription": 0x010E,
    "Make": 0x010F,
    "Model": 0x0110,
    "Software": 0x0131,
    "UserComment": 0x9286,
}
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def small_image(size: tuple[int, int] = (8, 6), mode: str = "RGB") -> Image.Image:
    """An image of noise, the same each time."""
    channels = len(mode) if mode in ("RGB", "RGBA") else 1
    values = np.random.default_rng(7).integers(0, 256, (size[1], size[0], channels))
    pixels = values.astype(np.uint8)
    return Image.fromarray(pixels if channels > 1 else pixels[..., 0]).convert(mode)


# PNG


def chunk(kind: bytes, content: bytes) -> bytes:
    """One PNG chunk with its checksum."""
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def text_chunk(keyword: str, text: str, kind: Chunk | None = None) -> bytes:
    """A text as a PNG chunk; without a kind ``tEXt`` where Latin-1 can write it, else ``iTXt``."""
    key = keyword.encode("latin-1") + b"\0"
    if kind is None:
        kind = "tEXt" if all(letter < "\u0100" for letter in text) else "iTXt"
    if kind == "tEXt":
        return chunk(b"tEXt", key + text.encode("latin-1"))
    if kind == "utf8-tEXt":
        return chunk(b"tEXt", key + text.encode())
    if kind == "zTXt":
        return chunk(b"zTXt", key + b"\0" + zlib.compress(text.encode("latin-1")))
    if kind == "iTXt":
        return chunk(b"iTXt", key + b"\0\0" + b"\0\0" + text.encode())
    return chunk(b"iTXt", key + b"\1\0" + b"en\0" + b"\0" + zlib.compress(text.encode()))


def png_chunks(image: Image.Image) -> list[bytes]:
    """A PNG image's chunks, as Pillow writes them."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    raw, chunks, start = stream.getvalue(), [], len(PNG_SIGNATURE)
    while start < len(raw):
        end = start + 12 + int(struct.unpack_from(">I", raw, start)[0])
        chunks.append(raw[start:end])
        start = end
    return chunks


def write_png(
    path: Path,
    fields: Mapping[str, str],
    after_idat: bool = False,
    *,
    kind: Chunk | None = None,
    exif: bytes = b"",
    c2pa: bytes = b"",
    image: Image.Image | None = None,
) -> Path:
    """A PNG file with texts by keyword, in front of the pixels or after them."""
    header, *rest = png_chunks(image or small_image())
    texts = [text_chunk(keyword, text, kind) for keyword, text in fields.items()]
    if exif:
        texts.append(chunk(b"eXIf", exif))
    if c2pa:
        texts.append(chunk(b"caBX", c2pa))
    middle = [*rest[:-1], *texts, rest[-1]] if after_idat else [*texts, *rest]
    path.write_bytes(PNG_SIGNATURE + header + b"".join(middle))
    return path


# EXIF


def user_comment_bytes(text: str, encoding: Comment) -> bytes:
    """A UserComment's value; ``utf8`` has no mark of its encoding."""
    return {
        "unicode-be": lambda: b"UNICODE\0" + text.encode("utf-16-be"),
        "unicode-le": lambda: b"UNICODE\0" + text.encode("utf-16-le"),
        "ascii": lambda: b"ASCII\0\0\0" + text.encode(),
        "utf8": lambda: text.encode(),
        "jis": lambda: b"JIS\0\0\0\0\0" + text.encode("iso2022_jp"),
    }[encoding]()


def exif_bytes(
    user_comment: str | None = None,
    encoding: Comment = "unicode-be",
    *,
    little: bool = False,
    sub_ifd: bool = True,
    raw: Mapping[int, tuple[int, bytes]] | None = None,
    **tags: str,
) -> bytes:
    """A TIFF block with texts.

    Args:
        user_comment: The comment; None: none.
        encoding: How it is written.
        little: Whether the block is little-endian.
        sub_ifd: Whether the comment is in the Exif IFD, as it should be, or in the first one.
        raw: More entries of the first IFD: tag -> type and bytes.
        tags: Texts of the first IFD, by the names in `TAGS`, as UTF-8.
    """
    first = {TAGS[name]: (2, text.encode() + b"\0") for name, text in tags.items()}
    first.update(raw or {})
    comment = (
        {}
        if user_comment is None
        else {TAGS["UserComment"]: (7, user_comment_bytes(user_comment, encoding))}
    )
    if not sub_ifd:
        first.update(comment)
    order = "<" if little else ">"
    head = (b"II*\0" if little else b"MM\0*") + struct.pack(f"{order}I", 8)
    if not (sub_ifd and comment):
        return head + _ifd(first, 8, order)
    pointer = {**first, 0x8769: (4, struct.pack(f"{order}I", 0))}
    start = 8 + len(_ifd(pointer, 8, order))
    pointer[0x8769] = (4, struct.pack(f"{order}I", start))
    return head + _ifd(pointer, 8, order) + _ifd(comment, start, order)


def _ifd(entries: Mapping[int, tuple[int, bytes]], start: int, order: str) -> bytes:
    """An IFD at ``start`` with the values that do not fit in after it."""
    table, values = struct.pack(f"{order}H", len(entries)), b""
    room = start + 2 + 12 * len(entries) + 4
    for tag, (kind, value) in sorted(entries.items()):
        count = len(value) // {2: 1, 3: 2, 4: 4, 7: 1, 1: 1}[kind]
        fits = len(value) <= 4
        where = value.ljust(4, b"\0") if fits else struct.pack(f"{order}I", room + len(values))
        values += b"" if fits else value + b"\0" * (len(value) % 2)
        table += struct.pack(f"{order}HHI", tag, kind, count) + where
    return table + struct.pack(f"{order}I", 0) + values


# JPEG


def segment(marker: int, content: bytes) -> bytes:
    """One JPEG segment with its length."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def write_jpeg(path: Path, *segments: bytes, image: Image.Image | None = None) -> Path:
    """A JPEG file with segments after its start."""
    stream = io.BytesIO()
    (image or small_image()).save(stream, "JPEG")
    raw = stream.getvalue()
    path.write_bytes(raw[:2] + b"".join(segments) + raw[2:])
    return path


def write_jpeg_exif(
    path: Path,
    user_comment: str | None = None,
    encoding: Comment = "unicode-be",
    *,
    little: bool = False,
    sub_ifd: bool = True,
    image: Image.Image | None = None,
    **tags: str,
) -> Path:
    """A JPEG file with an EXIF segment; the arguments are those of `exif_bytes`."""
    block = exif_bytes(user_comment, encoding, little=little, sub_ifd=sub_ifd, raw=None, **tags)
    return write_jpeg(path, segment(0xE1, b"Exif\0\0" + block), image=image)


def write_jpeg_comment(path: Path, comment: bytes, image: Image.Image | None = None) -> Path:
    """A JPEG file with a comment."""
    return write_jpeg(path, segment(0xFE, comment), image=image)


# WebP, AVIF, GIF


def _any_exif(user_comment: str | None, encoding: Comment, tags: Mapping[str, str]) -> bytes:
    if user_comment is None and not tags:
        return b""
    return exif_bytes(user_comment, encoding, little=False, sub_ifd=True, raw=None, **tags)


def write_webp(
    path: Path,
    user_comment: str | None = None,
    encoding: Comment = "unicode-be",
    *,
    xmp: str = "",
    lossless: bool = False,
    animated: bool = False,
    image: Image.Image | None = None,
    **tags: str,
) -> Path:
    """A WebP file with EXIF, XMP or both, written by Pillow."""
    picked = image or small_image()
    more = [picked.transpose(Image.Transpose.ROTATE_180)] if animated else []
    exif = _any_exif(user_comment, encoding, tags)
    picked.save(
        path,
        "WEBP",
        lossless=lossless,
        exact=True,
        exif=exif,
        xmp=xmp.encode(),
        save_all=animated,
        append_images=more,
    )
    return path


def write_avif(
    path: Path,
    user_comment: str | None = None,
    encoding: Comment = "unicode-be",
    *,
    xmp: str = "",
    image: Image.Image | None = None,
    **tags: str,
) -> Path:
    """An AVIF file with EXIF, XMP or both, written by Pillow."""
    exif = _any_exif(user_comment, encoding, tags)
    picked = image or small_image()
    picked.save(path, "AVIF", exif=exif, xmp=xmp.encode(), speed=10, max_threads=1)
    return path


def handmade_avif(exif: bytes, xmp: bytes, *, version: int, in_idat: bool) -> bytes:
    """An AVIF file without pixels: EXIF in two pieces, XMP, and sizes of a tile and the whole."""

    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), kind) + content

    def infe(item: int, kind: bytes, more: bytes = b"") -> bytes:
        return box(b"infe", struct.pack(">BxxxHH4s", 2, item, 0, kind) + b"name\0" + more)

    payload = struct.pack(">I", 6) + b"Exif\0\0" + exif
    content = payload + xmp
    cut = len(payload) // 3
    extents = {7: [(0, cut), (cut, len(payload) - cut)], 9: [(len(payload), len(xmp))]}

    def iloc(base: int) -> bytes:
        wide = "I" if version == 2 else "H"
        items = b""
        for item, pieces in extents.items():
            items += struct.pack(f">{wide}", item)
            items += struct.pack(">H", 1 if in_idat else 0) if version else b""
            items += struct.pack(">HIH", 0, base, len(pieces))
            items += b"".join(struct.pack(">II", *piece) for piece in pieces)
        return box(
            b"iloc",
            struct.pack(f">BxxxBB{wide}", version, 0x44, 0x40, len(extents)) + items,
        )

    items = infe(7, b"Exif") + infe(9, b"mime", b"application/rdf+xml\0")
    sizes = b"".join(box(b"ispe", struct.pack(">III", 0, *s)) for s in ((64, 64), (640, 480)))

    def meta(base: int) -> bytes:
        parts = box(b"iinf", struct.pack(">IH", 0, 2) + items)
        parts += box(b"iprp", box(b"ipco", sizes)) + iloc(base)
        return box(b"meta", bytes(4) + parts + (box(b"idat", content) if in_idat else b""))

    start = box(b"ftyp", b"mif1" + bytes(4) + b"mif1avif")
    if in_idat:
        return start + meta(0)
    base = len(start) + len(meta(0)) + 8
    return start + meta(base) + box(b"mdat", content)


def write_gif(
    path: Path, comment: str = "", *, xmp: str = "", image: Image.Image | None = None
) -> Path:
    """A GIF file with a comment in sub-blocks of 255 bytes, and XMP with its magic trailer."""
    stream = io.BytesIO()
    (image or small_image()).save(stream, "GIF")
    raw = stream.getvalue()
    table = 3 << ((raw[10] & 7) + 1) if raw[10] & 0x80 else 0
    start = 13 + table
    extra = b""
    if comment:
        extra += b"\x21\xfe" + sub_blocks(comment.encode()) + b"\0"
    if xmp:
        trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
        extra += b"\x21\xff\x0bXMP DataXMP" + xmp.encode() + trailer
    path.write_bytes(b"GIF89a" + raw[6:start] + extra + raw[start:])
    return path


def sub_blocks(content: bytes) -> bytes:
    """Bytes as GIF sub-blocks, without the terminator."""
    pieces = [content[i : i + 255] for i in range(0, len(content), 255)]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces)


# Stealth


def stealth_bits(text: str, kind: Stealth, length: int | None = None) -> npt.NDArray[np.uint8]:
    """Signature, length and text as bits; ``length`` in bits replaces the true one."""
    content = text.encode()
    if kind.endswith("comp"):
        content = gzip.compress(content, mtime=0)
    size = struct.pack(">I", 8 * len(content) if length is None else length)
    raw = f"stealth_{kind}".encode() + size + content
    return np.unpackbits(np.frombuffer(raw, np.uint8))


def write_stealth(
    path: Path,
    text: str,
    kind: Stealth = "pngcomp",
    *,
    size: tuple[int, int] = (64, 64),
    length: int | None = None,
) -> Path:
    """A PNG or lossless WebP file (by its suffix) with a text in its lowest bits.

    Bits go down the columns: one a pixel in the alpha channel (``png...``), or three a pixel in
    red, green and blue (``rgb...``).
    """
    pixels = np.array(small_image(size, "RGBA"))
    pixels[..., 3] = 255
    bits = stealth_bits(text, kind, length)
    channels = 1 if kind.startswith("png") else 3
    flat = pixels.transpose(1, 0, 2).reshape(-1, 4)  # one row a pixel, column by column
    wanted = [3] if channels == 1 else [0, 1, 2]
    values = flat[:, wanted].reshape(-1)
    assert len(bits) <= len(values), "the image is too small for the text"
    values[: len(bits)] = (values[: len(bits)] & 0xFE) | bits
    flat[:, wanted] = values.reshape(-1, channels)
    back = np.ascontiguousarray(flat.reshape(size[0], size[1], 4).transpose(1, 0, 2))
    image = Image.fromarray(back) if channels == 1 else Image.fromarray(back[..., :3].copy())
    if path.suffix == ".webp":
        image.save(path, "WEBP", lossless=True, exact=True)
    else:
        image.save(path, "PNG")
    return path
