"""EXIF and XMP as ImageMagick writes them into PNG texts: a name, a length, and hexadecimals."""

from __future__ import annotations

import re

from .exif import add_exif
from .source import Damaged, Texts
from .xmp import decoded

_SPACE = re.compile(r"\s+")


def add_raw_profile(keyword: str, text: str, texts: Texts, where: str) -> None:
    """Add the texts of ``Raw profile type exif``, ``APP1`` or ``xmp``; others are not read."""
    kind = keyword.removeprefix("Raw profile type ").lower()
    if kind not in ("exif", "app1", "xmp"):
        return
    what = f"{keyword!r} in {where}"
    try:
        content = _content(text, what)
        if kind == "exif" or content.startswith(b"Exif\0\0"):
            add_exif(content, texts, what)
        else:
            packet = content.removeprefix(b"http://ns.adobe.com/xap/1.0/\0")
            texts.add("xmp", decoded(packet, what))
    except Damaged as damage:
        texts.problem(damage)


def _content(text: str, what: str) -> bytes:
    """The bytes that the hexadecimals stand for; the length in front has to be theirs."""
    parts = text.strip().split("\n", 2)  # the name, the length, the hexadecimals
    if len(parts) < 3 or not parts[1].strip().isdecimal():
        raise Damaged(f"{what} is damaged: it has no length")
    try:
        content = bytes.fromhex(_SPACE.sub("", parts[2]))
    except ValueError as error:
        raise Damaged(f"{what} is damaged: it is not hexadecimal") from error
    if str(len(content)) != parts[1].strip():
        raise Damaged(f"{what} is damaged: its length is wrong")
    return content
