"""The members of a tar file and where their bytes lie; nothing is ever unpacked to disk.

Headers are decoded by the standard library. It does not read on behind a damaged one: its
`TarFile` takes that for the end of the archive, without a word.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple, TypeAlias

from unprompt._files import paths
from unprompt._files.reading import open_file
from unprompt.errors import DataError

_BLOCK = tarfile.BLOCKSIZE
_MAGIC, _MAGIC_AT = b"ustar", 257
_CHUNK = 1 << 20
_LONGEST_HEADER = 1 << 20
"""Bytes of the longest extended header that is read."""
_PADDING = 20 * _BLOCK
"""Zeros behind the last member of a tar file; more of them before another member are a hole."""


class Member(NamedTuple):
    """A regular file of an archive.

    Attributes:
        name: Its path in the archive; bytes that are not UTF-8 are surrogates.
        offset: Where its bytes begin in the archive.
        size: Their number.
    """

    name: str
    offset: int
    size: int


class Damage(NamedTuple):
    """A part of an archive that cannot be read.

    Attributes:
        offset: Where it begins.
        reason: What is wrong.
    """

    offset: int
    reason: str


class Unmarked(NamedTuple):
    """The end of an archive without the zeros that mark it; it may have been cut between members.

    Attributes:
        offset: Where it is.
    """

    offset: int


class Other(NamedTuple):
    """A member that is no regular file: a link, a device, a sparse file.

    Attributes:
        name: Its path in the archive.
    """

    name: str


Part: TypeAlias = Member | Other | Damage | Unmarked
"""What is found in an archive."""


def tar_members(path: Path) -> Iterator[Part]:
    """Every member but folders, in order; behind a damaged part, reading goes on.

    Raises:
        DataError: It is missing, empty, compressed, or no tar file.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        _check_start(path, file, size)
        yield from _Walk(file, size)


def _check_start(path: Path, file: BufferedReader, size: int) -> None:
    start = os.pread(file.fileno(), _BLOCK, 0)
    why = None
    if not size:
        why = "the file is empty"
    elif start[:2] == b"\x1f\x8b" or start[:4] in (b"\x28\xb5\x2f\xfd", b"\xfd7zX"):
        why = "compressed: samples are opened at random places, so unpack it (gunzip, zstd -d)"
    elif not _header(start) and start.strip(b"\0") and _next_header(file, 0, size) is None:
        why = "no tar file"
    if why:
        raise DataError(f"{paths.shown(path)}: {why}")


class _Walk:
    """Goes from header to header."""

    def __init__(self, file: BufferedReader, size: int) -> None:
        self._file, self._size = file, size
        self._offset = 0
        self._long_name: str | None = None
        self._long_size: int | None = None
        self._cut = False

    def __iter__(self) -> Iterator[Part]:
        while self._offset + _BLOCK <= self._size:
            start = self._offset
            block = self._read(start, _BLOCK)
            header = _header(block)
            if header is None:
                further = _next_header(self._file, start, self._size)
                hole = further is not None and further - start > _PADDING
                if block.strip(b"\0") or hole:
                    yield Damage(start, "a damaged header" if block.strip(b"\0") else "a hole")
                if further is None:
                    return
                self._offset, self._long_name, self._long_size = further, None, None
                continue
            yield from self._member(header, start + _BLOCK)
        if self._offset < self._size:
            yield Damage(self._offset, "the file is cut inside of a header")
        elif not self._cut:
            yield Unmarked(self._offset)

    def _member(self, header: tarfile.TarInfo, data: int) -> Iterator[Part]:
        extended = header.type in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME)
        size = header.size if extended or self._long_size is None else self._long_size
        has_data = header.type not in _NO_DATA
        self._offset = data + (-(-size // _BLOCK) * _BLOCK if has_data else 0)
        name = self._long_name or header.name
        if has_data and data + size > self._size:
            yield Damage(data - _BLOCK, f"the file is cut inside of {paths.shown(name)}")
            further = _next_header(self._file, data - _BLOCK, self._size)
            self._cut = further is None
            self._offset = self._size if further is None else further
            self._long_name = self._long_size = None
            return
        if extended:
            self._extend(header, data)
            return
        if header.type in _SKIPPED:
            return
        if header.isreg() and not header.issparse():
            yield Member(name, data, size)
        elif not header.isdir():
            yield Other(name)
        self._long_name = self._long_size = None

    def _extend(self, header: tarfile.TarInfo, data: int) -> None:
        """Take name and size of the next member from an extended header."""
        content = self._read(data, min(header.size, _LONGEST_HEADER))
        if header.type == tarfile.GNUTYPE_LONGNAME:
            self._long_name = content.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
            return
        fields = _pax_fields(content)
        if b"path" in fields:
            self._long_name = fields[b"path"].decode("utf-8", "surrogateescape")
        if fields.get(b"size", b"").isdigit() and len(fields[b"size"]) < 20:
            self._long_size = int(fields[b"size"])

    def _read(self, offset: int, count: int) -> bytes:
        return os.pread(self._file.fileno(), count, offset)


_NO_DATA = (
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)
_SKIPPED = (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK, tarfile.SOLARIS_XHDTYPE)


def _header(block: bytes) -> tarfile.TarInfo | None:
    """A header block; None where it is none, by its checksum."""
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError, OverflowError):
        return None
    return header if header.size >= 0 else None


def _next_header(file: BufferedReader, start: int, size: int) -> int | None:
    """Where the next member begins behind ``start``; found by the word that headers hold."""
    offset = start + _BLOCK
    while offset < size:
        chunk = os.pread(file.fileno(), _CHUNK, offset)
        word = chunk.find(_MAGIC)
        while word >= 0:
            begin = word - _MAGIC_AT
            whole = 0 <= begin and begin % _BLOCK == 0 and begin + _BLOCK <= len(chunk)
            if whole and _header(chunk[begin : begin + _BLOCK]):
                return offset + begin
            word = chunk.find(_MAGIC, word + 1)
        offset += _CHUNK
    return None


def _pax_fields(content: bytes) -> dict[bytes, bytes]:
    """The records of a pax header, a length and ``KEY=VALUE`` each, as far as they are whole."""
    fields: dict[bytes, bytes] = {}
    start = 0
    while start < len(content):
        length, _, _ = content[start : start + 20].partition(b" ")
        if not length.isdigit() or not 0 < int(length) <= len(content) - start:
            break
        record = content[start + len(length) + 1 : start + int(length) - 1]
        key, _, value = record.partition(b"=")
        fields[key] = value
        start += int(length)
    return fields
