"""Files that may be compressed with gzip or zstd, read as a stream of what is in them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from unprompt._files import paths
from unprompt._files.reading import open_file, reading
from unprompt.errors import DataError

if TYPE_CHECKING:
    from typing import BinaryIO

SUFFIXES = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
"""The suffix of a compressed file -> its compression."""

_STARTS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""How compressed files begin; no UTF-8 text begins like that."""


def bare_name(path: Path) -> str:
    """The name of what is in a file: without the suffix of its compression."""
    return path.stem if path.suffix.lower() in SUFFIXES else path.name


@contextmanager
def opened_content(path: Path) -> Iterator[BinaryIO]:
    """A file opened for reading what is in it: its first bytes say whether it is compressed.

    Args:
        path: A regular file. Several compressed parts, one behind the other, are one content.

    Raises:
        DataError: As `open_file`; or its suffix names a compression that its bytes are not of.
    """
    with open_file(path) as file:
        with reading(path):
            start = file.read(4)
            file.seek(0)
        found = next((name for first, name in _STARTS.items() if start.startswith(first)), None)
        named = SUFFIXES.get(path.suffix.lower())
        if named is not None and found != named and start:
            raise DataError(
                f"{paths.shown(path)}: is not compressed with {named}, as its name says"
            )
        if found is None:
            yield file
        elif found == "gzip":
            with gzip.GzipFile(fileobj=file) as content:
                yield cast("BinaryIO", content)
        else:
            import pyarrow as pa

            with io.BufferedReader(pa.CompressedInputStream(file, "zstd")) as content:
                yield cast("BinaryIO", content)


def is_cut(error: BaseException) -> bool:
    """Whether a compressed file ends before its content does."""
    return isinstance(error, EOFError) or "Truncated compressed stream" in str(error)
