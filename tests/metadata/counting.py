"""A stream that counts what is read of it."""

from __future__ import annotations

import io
from pathlib import Path


class Counting(io.FileIO):
    """A file that counts.

    Attributes:
        reads: How often it was read.
        bytes: How many bytes were read.
    """

    def __init__(self, path: Path) -> None:
        """Open the file."""
        super().__init__(path)
        self.reads = 0
        self.bytes = 0

    def read(self, size: int | None = -1) -> bytes:
        """Read and count."""
        content = super().read(-1 if size is None else size) or b""
        self.reads += 1
        self.bytes += len(content)
        return content
