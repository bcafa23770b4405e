"""The first pixels of a PNG file's rows, inflated no further than somebody asks for them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from .source import Damaged, Source

_FIRST_READ = 512
_READ = 4096
_SKIP = 1 << 16


def first_pixels(
    source: Source, spans: tuple[tuple[int, int], ...], row: int, wanted: int, pixel: int
) -> Iterator[bytes]:
    """Row by row, the first bytes of each row, without the row's filter.

    A filter looks up and to the left only (PNG, 9.2), so the first pixels of rows depend on
    nothing but the first pixels of the rows above.

    Args:
        source: The file.
        spans: Offset and length of each piece of compressed pixels.
        row: Bytes of a row, without the byte that names its filter.
        wanted: Bytes of each row to give.
        pixel: Bytes of a pixel.

    Raises:
        Damaged: The pixels do not inflate, or end, or a filter is unknown.
    """
    stream = _Inflating(source, spans)
    above = bytes(wanted)
    while True:
        kind, *raw = stream.take(1 + wanted)
        above = _unfiltered(kind, bytes(raw), above, pixel)
        yield above
        stream.skip(row - wanted)


class _Inflating:
    """Compressed pixels, inflated piece by piece."""

    def __init__(self, source: Source, spans: tuple[tuple[int, int], ...]) -> None:
        self._stream = zlib.decompressobj()
        self._pieces = _pieces(source, spans)
        self._waiting = b""

    def take(self, count: int) -> bytes:
        """The next bytes. Raises Damaged where there are fewer, or they do not inflate."""
        taken = b""
        while len(taken) < count:
            if not self._waiting:
                self._waiting = next(self._pieces, b"")
                if not self._waiting:
                    raise Damaged("the pixels are cut off")
            try:
                taken += self._stream.decompress(self._waiting, count - len(taken))
            except zlib.error as error:
                raise Damaged("the pixels are damaged: they do not inflate") from error
            self._waiting = self._stream.unconsumed_tail
            if self._stream.eof and len(taken) < count:
                raise Damaged("the pixels are cut off")
        return taken

    def skip(self, count: int) -> None:
        """Leave bytes out, without keeping them."""
        while count > 0:
            count -= len(self.take(min(count, _SKIP)))


def _pieces(source: Source, spans: tuple[tuple[int, int], ...]) -> Iterator[bytes]:
    step = _FIRST_READ
    for offset, length in spans:
        for start in range(0, length, _READ):
            yield from _halves(source, offset + start, min(_READ, length - start), step)
            step = _READ


def _halves(source: Source, start: int, length: int, first: int) -> Iterator[bytes]:
    """A piece, its first bytes by themselves."""
    yield source.read(start, min(first, length))
    if length > first:
        yield source.read(start + first, length - first)


def _unfiltered(kind: int, raw: bytes, above: bytes, pixel: int) -> bytes:
    """Bytes of a row without its filter. Raises Damaged where there is no such filter."""
    if kind > 4:
        raise Damaged("the pixels are damaged: an unknown filter")
    row = bytearray()
    for i, value in enumerate(raw):
        left = row[i - pixel] if i >= pixel else 0
        corner = above[i - pixel] if i >= pixel else 0
        added = (0, left, above[i], (left + above[i]) // 2, _paeth(left, above[i], corner))[kind]
        row.append((value + added) & 0xFF)
    return bytes(row)


def _paeth(left: int, up: int, corner: int) -> int:
    """Which of three neighbours is nearest to left + up - corner."""
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))
