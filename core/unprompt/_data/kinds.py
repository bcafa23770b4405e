"""What a file is, by its suffix and its first bytes."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath

from PIL import features

from unprompt._files.paths import reason

HAS_AVIF = bool(features.check("avif"))
"""Whether this Pillow reads AVIF."""

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", *["AVIF"] * HAS_AVIF)
"""The only decoders used: Pillow also knows formats that start other programs (EPS: Ghostscript).

JPEG includes the MPO of phones.
"""

_READ = "png jpg jpeg jpe jfif webp bmp gif tif tiff ppm pgm pbm pnm"
_NOT_READ = (
    "heic heif hif jxl jp2 j2k jpf jpx avif avifs tga exr hdr qoi ico svg eps psd "
    "pcx dcx dds sgi rgb rgba psb xcf xbm xpm pict ras icns cur fits wmf emf"
)
_RAW = "dng cr2 cr3 nef arw orf rw2 raf"

SUFFIXES = frozenset([*_READ.split(), *["avif"] * HAS_AVIF])
"""Suffixes of image files that are read, in lower case and without the dot."""
FOREIGN = frozenset([*_NOT_READ.split(), *_RAW.split()]) - SUFFIXES
"""Suffixes of image files that are not read, unless their first bytes say otherwise."""

HEAD = 32
"""First bytes of a file that `format_of_head` needs."""
NOT_AN_IMAGE = "not an image"
UNREADABLE = "cannot be read"

_SIGNATURES = (
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("JPEG", rb"\xff\xd8\xff"),
    ("WEBP", rb"RIFF....WEBP"),
    ("GIF", rb"GIF8[79]a"),
    ("TIFF", rb"II[*+]\0|MM\0[*+]"),
    ("BMP", rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
    ("PPM", rb"P[1-6]\s+[\d#]"),
    ("AVIF", rb"....ftypavi[fs]"),
    ("HEIC", rb"....ftyp(?:hei[cfmsx]|hev[cx]|mif1|msf1)"),
    ("JPEG XL", rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"),
    ("JPEG 2000", rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
    ("Photoshop", rb"8BPS\0"),
)


def suffix_of(name: str) -> str:
    """The suffix of a file's name in lower case, without the dot; empty where there is none."""
    return PurePath(name).suffix.lower().removeprefix(".")


def looks_like_image(name: str) -> bool:
    """Whether the suffix is that of an image file, read or not."""
    return suffix_of(name) in SUFFIXES | FOREIGN


def format_of_head(head: bytes) -> str | None:
    """The image format whose signature a file starts with; None where there is none.

    Args:
        head: The first `HEAD` bytes.
    """
    return next((kind for kind, start in _SIGNATURES if re.match(start, head, re.DOTALL)), None)


def is_read(kind: str | None, name: str) -> bool:
    """Whether a file that starts as ``kind`` can be decoded.

    The raw images of cameras start as TIFF; what would be decoded is their small preview.
    """
    return kind in FORMATS and suffix_of(name) not in _RAW.split()


def why_no_image(path: Path) -> str | None:
    """Why a regular file of a folder is not opened as an image; None where it is."""
    if suffix_of(path.name) in SUFFIXES:
        return None
    try:
        kind = format_of_head(_head(path))
    except OSError as error:
        looks = looks_like_image(path.name)
        return f"{UNREADABLE}: {reason(error)}" if looks else NOT_AN_IMAGE
    if is_read(kind, path.name):
        return None
    if suffix_of(path.name) in FOREIGN or kind is not None:
        what = suffix_of(path.name).upper() if kind in (None, *FORMATS) else kind
        return f"{what} is not one of {', '.join(FORMATS)}"
    return NOT_AN_IMAGE


def _head(path: Path) -> bytes:
    """The first bytes of a file; never waits for a FIFO that took its place."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(descriptor, HEAD)
    finally:
        os.close(descriptor)
