"""SHA-256 of plain data, files and folders."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from unprompt.types import PlainData


def content_hash(value: PlainData) -> str:
    """SHA-256 of plain data; the order of keys in maps does not change it."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_hash(folder: Path, pattern: str = "**/*") -> str:
    """SHA-256 over the names and bytes of the files below ``folder`` that match ``pattern``."""
    files = sorted(path for path in folder.glob(pattern) if path.is_file())
    return content_hash([(path.relative_to(folder).as_posix(), file_hash(path)) for path in files])
