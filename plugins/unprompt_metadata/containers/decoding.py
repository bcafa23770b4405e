"""Bytes to text: encodings are what tools write, which is not always what a format says."""

from __future__ import annotations

import codecs
import re
import zlib

from .source import FIELD_LIMIT, Damaged, Texts

_PIECE = 1 << 16
"""Bytes that are inflated at a time, so that damage after much of it costs what it cost."""

_PLAIN_UTF8 = 16
"""Bytes from which on text marked UTF-16 that reads as plain UTF-8 is taken for that."""

_UTF8_LETTER = re.compile(
    rb"[\xc3-\xdf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
"""A letter of several bytes; in Latin-1 an accented capital before a control or a symbol."""

_SHIFTED = re.compile("[" + "".join(chr(code << 8) for code in range(0x20, 0x7F)) + "]{3}")
"""What ASCII letters become where a byte is missing; of CJK letters one in hundreds is of these,
and hardly ever three in a row."""


def inflated(content: bytes, texts: Texts, what: str, *, gzip: bool = False) -> bytes:
    """A zlib (or gzip) stream, inflated as far as its text may go.

    Raises:
        Damaged: The stream is cut off, its checksum is wrong, or the text is over the limit.
    """
    stream = zlib.decompressobj(31 if gzip else 15)
    pieces, rest, length = list[bytes](), content, 0
    try:
        while not stream.eof and (piece := stream.decompress(rest, min(_PIECE, texts.room(what)))):
            texts.spend(len(piece), what)
            pieces.append(piece)
            length += len(piece)
            rest = stream.unconsumed_tail
            if length > FIELD_LIMIT:
                raise Damaged(f"{what} is not read: it inflates to more than {FIELD_LIMIT:,} bytes")
    except zlib.error as error:
        raise Damaged(f"{what} is damaged: it does not inflate") from error
    if not stream.eof:
        raise Damaged(f"{what} is damaged: its compressed text is cut off")
    return b"".join(pieces)


def utf8(content: bytes, what: str) -> str:
    """UTF-8, its byte order mark left out. Raises Damaged where it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Damaged(f"{what} is not UTF-8 at byte {error.start:,}") from error


def latin1_or_utf8(content: bytes, what: str) -> str:
    """UTF-8 where the bytes are that, else Latin-1.

    PNG's ``tEXt`` and GIF's comments are no UTF-8 by their specifications, but tools write it
    there; hardly any Latin-1 text of words is valid UTF-8 by chance.

    Raises:
        Damaged: Some letters are UTF-8 and others are not, so that a byte is damaged.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if _UTF8_LETTER.search(content):
            raise Damaged(f"{what} is damaged: not UTF-8 at byte {error.start:,}") from error
        return content.decode("latin-1")


def until_nul(content: bytes) -> bytes:
    """What is in front of the first NUL."""
    return content.partition(b"\0")[0]


def user_comment(content: bytes, what: str, *, little: bool) -> str:
    """EXIF's UserComment.

    Eight bytes name the encoding (EXIF 2.32, table 9); tools also write text without them, and
    UTF-16 in either byte order whatever the block's.

    Args:
        content: The value.
        what: How problems name it.
        little: Whether the TIFF block is little-endian, which decides where the text does not.

    Raises:
        Damaged: The text is not in the encoding that it is said to be in.
    """
    code, rest = content[:8].upper(), content[8:]
    if code == b"UNICODE\0":
        return _utf8_marked_utf16(rest) or utf16(rest, what, little=little)
    if code == b"ASCII\0\0\0":
        return latin1_or_utf8(until_nul(rest), what)
    if code == b"JIS\0\0\0\0\0":
        return _jis(until_nul(rest), what)
    if code == bytes(8):
        content = rest
    if _alternates(content):
        return utf16(content, what, little=little)
    return latin1_or_utf8(until_nul(content), what)


def utf16(content: bytes, what: str, *, little: bool) -> str:
    """UTF-16 up to its first NUL, in the byte order in which it reads as text.

    Raises:
        Damaged: It is not UTF-16 in the order that was chosen.
    """
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if content.startswith(mark):
            return _strict(_units(content[2:]), name, what)
    content = _units(content)
    first = "utf-16-le" if little else "utf-16-be"
    other = "utf-16-be" if little else "utf-16-le"
    return _strict(content, max((first, other), key=lambda name: _likely(content, name)), what)


def _units(content: bytes) -> bytes:
    """Whole 16-bit units up to the first zero one; a last odd byte is padding where it is NUL."""
    if len(content) % 2 and content.endswith(b"\0"):
        content = content[:-1]
    start = content.find(b"\0\0")
    while start != -1 and start % 2:
        start = content.find(b"\0\0", start + 1)
    return content if start == -1 else content[:start]


def _strict(content: bytes, encoding: str, what: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise Damaged(f"{what} is not {encoding.upper()} at byte {error.start:,}") from error
    if _SHIFTED.search(text):
        raise Damaged(f"{what} is damaged: a byte of its {encoding.upper()} is missing")
    return text


def _likely(content: bytes, encoding: str) -> tuple[int, int, int]:
    """How much UTF-16 in this byte order looks like text: larger is likelier.

    ASCII letters decide; without any, letters of one script share their high bytes.
    """
    high = content[1::2] if encoding.endswith("le") else content[::2]
    low = content[::2] if encoding.endswith("le") else content[1::2]
    sample = list(zip(high[:2000], low[:2000], strict=False))
    ascii_letters = sum(1 for top, bottom in sample if not top and 9 <= bottom < 0x7F)
    unpaired = len(content.decode(encoding, "ignore").encode(encoding)) - len(content)
    return ascii_letters, unpaired, -len({top for top, _ in sample})


def _utf8_marked_utf16(content: bytes) -> str | None:
    """Text whose mark says UTF-16, but which is UTF-8: printable and without any NUL inside."""
    text = content.rstrip(b"\0")
    if len(text) < _PLAIN_UTF8 or b"\0" in text:
        return None
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        return None
    printable = all(letter.isprintable() or letter in "\n\r\t" for letter in decoded)
    return decoded if printable else None


def _alternates(content: bytes) -> bool:
    """Whether bytes without a mark are UTF-16: a mark of byte order, or every second one is NUL."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    start = content[:16]
    return len(start) >= 4 and (not any(start[::2]) or not any(start[1::2])) and any(start)


def _jis(content: bytes, what: str) -> str:
    for encoding in ("iso2022_jp", "cp932"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Damaged(f"{what} is not JIS text")
