"""The texts of an image file, whatever its format."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from unprompt import DataError

from .containers.avif import is_avif, read_avif
from .containers.gif import SIGNATURES as GIF_SIGNATURES
from .containers.gif import read_gif
from .containers.jpeg import SIGNATURE as JPEG_SIGNATURE
from .containers.jpeg import read_jpeg
from .containers.png import SIGNATURE as PNG_SIGNATURE
from .containers.png import read_png
from .containers.source import Source, Texts
from .containers.stealth import add_png_stealth, add_webp_stealth
from .containers.webp import is_webp, read_webp
from .fields import FileTexts

_POINTER = b"version https://git-lfs.github.com/spec/"
_NO_WAITING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_SHOWN = 200


def read_texts(path: Path, *, stealth: bool = True) -> FileTexts:
    """The texts of an image file; pixels are stepped over.

    Args:
        path: A regular file; anything else, such as a FIFO, is never opened.
        stealth: Whether to look for a text in the lowest bits of the pixels of PNG and lossless
            WebP files. It costs the first row of a PNG file, and decoding a lossless WebP file.

    Returns:
        The texts; none, and a problem, for a file that is no image or damaged.

    Raises:
        DataError: The file cannot be opened or read; one line.
    """
    shown = _printable(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise DataError(f"{shown}: cannot be read: it is no regular file")
        handle = os.open(path, _NO_WAITING)
        with open(handle, "rb", buffering=0) as file:  # without a buffer: no more than is asked for
            if not stat.S_ISREG(os.fstat(handle).st_mode):  # somebody put another one there
                raise DataError(f"{shown}: cannot be read: it is no regular file")
            return file_texts(file, stealth=stealth)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise DataError(f"{shown}: cannot be read: {why}") from error
    except ValueError as error:  # NUL in the name, or letters that no file name can have
        raise DataError(f"{shown}: no file can have this name") from error


def file_texts(stream: BinaryIO, *, stealth: bool = True) -> FileTexts:
    """The texts of an image file that is open, or in memory.

    Args:
        stream: A binary stream that can seek; it is read from its start and not closed.
        stealth: As in `read_texts`.

    Raises:
        OSError: The stream cannot be read.
    """
    source, texts = Source(stream), Texts()
    head = source.read(0, 256)
    form = None
    if head.startswith(PNG_SIGNATURE):
        form, pixels = "PNG", read_png(source, texts)
        if stealth and pixels:
            add_png_stealth(source, pixels, texts)
    elif head.startswith(JPEG_SIGNATURE):
        form = "JPEG"
        read_jpeg(source, texts)
    elif is_webp(head):
        form, lossless = "WEBP", read_webp(source, texts)
        if stealth and lossless:
            add_webp_stealth(source, texts)
    elif head.startswith(GIF_SIGNATURES):
        form = "GIF"
        read_gif(source, texts)
    elif is_avif(head):
        form = "AVIF"
        read_avif(source, texts)
    else:
        texts.problem(_no_image(head))
    return FileTexts(form, texts.size, tuple(texts.fields), texts.provenance, tuple(texts.problems))


def _no_image(head: bytes) -> str:
    if not head:
        return "the file is empty"
    if head.startswith(_POINTER):
        return "a Git LFS pointer, not the file: run `git lfs pull`"
    return "no PNG, JPEG, WebP, AVIF or GIF file"


def _printable(path: Path) -> str:
    """A path on one line, printable, and not too long."""
    letters = str(path).encode(errors="backslashreplace").decode()
    text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in letters)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
