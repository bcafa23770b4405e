"""SHA-256 of plain data, files and folders."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

from unprompt._files.reading import open_file, reading
from unprompt.types import PlainData

_SETTLED = 2.0
"""Seconds after which a file's times tell every later change: they tick in milliseconds."""

_known: dict[tuple[str, int, int, int, int, int], str] = {}
"""Digests by path and what every change of a file changes, so that a process reads it once."""


def content_hash(value: PlainData) -> str:
    """SHA-256 of plain data; the order of keys in maps does not change it."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # A configuration may hold half of a surrogate pair, which JSON can write.
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes.

    A file that has not changed since this process hashed it is not read again.

    Raises:
        DataError: It is missing, cannot be read, or is no regular file.
    """
    with open_file(path) as file:
        status = os.fstat(file.fileno())
        times = (status.st_mtime_ns, status.st_ctime_ns)
        key = (str(path), status.st_dev, status.st_ino, status.st_size, *times)
        if key in _known:
            return _known[key]
        settled = time.time() - max(times) / 1e9 > _SETTLED
        with reading(path):
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    if settled:
        _known[key] = digest
    return digest


def folder_hash(folder: Path, pattern: str = "**/*") -> str:
    """SHA-256 over the names and bytes of the files below ``folder`` that match ``pattern``."""
    files = sorted(path for path in folder.glob(pattern) if path.is_file())
    return content_hash([(path.relative_to(folder).as_posix(), file_hash(path)) for path in files])
