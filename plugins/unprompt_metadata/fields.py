"""What a file says in text, before anybody knows what it means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One text of a file.

    Attributes:
        name: Where it was: ``png:KEYWORD``, ``exif:UserComment``, ``exif:ImageDescription``,
            ``exif:Make``, ``exif:Model``, ``exif:Software``, ``xmp``, ``jpeg:comment``,
            ``gif:comment``, ``stealth:alpha`` or ``stealth:rgb``.
        text: The decoded text, as it is, without trailing NULs.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class FileTexts:
    """The texts of one file.

    Attributes:
        format: ``PNG``, ``JPEG``, ``WEBP``, ``AVIF`` or ``GIF``; None for any other file.
        size: Width and height in pixels; None where unknown.
        fields: Its texts, in the order of the file.
        provenance: Whether it carries a C2PA manifest, which says where an image is from, not its
            prompt.
        problems: What could not be read, one line each (damaged chunk, text over the limit, ...).
    """

    format: str | None
    size: tuple[int, int] | None
    fields: tuple[Field, ...]
    provenance: bool = False
    problems: tuple[str, ...] = ()
