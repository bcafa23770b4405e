"""Checksums of a folder's files: written when it is complete, compared before they are read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from unprompt._files import paths
from unprompt._files.hashing import file_hash
from unprompt._files.reading import read_typed
from unprompt._files.writing import write_json
from unprompt.errors import DataError

CHECKSUMS = "checksums.json"
"""The file that holds them, in the folder itself or above it."""


class Checksum(BaseModel):
    """Size and SHA-256 of a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    bytes: int = Field(ge=0)
    sha256: str


_CONTENT = TypeAdapter(dict[str, Checksum])


def measure(folder: Path) -> dict[str, Checksum]:
    """The checksum of every file below ``folder`` by its name, ``/`` between its parts."""
    return {name: _checksum(folder / name) for name in sorted(_names(folder))}


def write_checksums(folder: Path, path: Path) -> None:
    """Write the checksums of the files below ``folder`` to ``path``, which is none of them."""
    write_json(path, {name: sums.model_dump() for name, sums in measure(folder).items()})


def read_checksums(path: Path) -> dict[str, Checksum]:
    """Read what `write_checksums` wrote.

    Raises:
        DataError: It is missing or damaged.
    """
    return read_typed(path, _CONTENT)


def difference(folder: Path, expected: Mapping[str, Checksum]) -> str | None:
    """The first file of ``folder`` that is not as expected, and what is wrong; None: all are.

    Sizes are compared before anything is hashed.
    """
    missing = sorted(set(expected) - (here := _names(folder)))
    extra = sorted(here - set(expected))
    if missing or extra:
        return f"{missing[0]}: no such file" if missing else f"{extra[0]}: is not of it"
    try:
        sizes = {name: (folder / name).stat().st_size for name in expected}
        cut = [name for name in expected if sizes[name] != expected[name].bytes]
        if cut:
            return f"{cut[0]}: {sizes[cut[0]]} bytes, not {expected[cut[0]].bytes}"
        changed = (name for name in expected if file_hash(folder / name) != expected[name].sha256)
        return next((f"{name}: changed" for name in changed), None)
    except OSError as error:
        return f"{folder.name}: {paths.reason(error)}"
    except DataError as error:
        return error.problems[0]


def check_files(folder: Path, names: Iterable[str], *, needed: bool = False) -> None:
    """Check files of a finished folder before they are read.

    Folders without `CHECKSUMS`, from before there were any, pass.

    Args:
        folder: A finished folder.
        names: Its files.
        needed: Whether `CHECKSUMS` has to name them; files that a plugin added are not in it.

    Raises:
        DataError: A file is missing, cut or changed since; the line names it.
    """
    if not os.path.lexists(folder / CHECKSUMS):
        return
    expected = read_checksums(folder / CHECKSUMS)
    for name in names:
        if name in expected:
            _check(folder, name, expected[name])
        elif needed:
            raise DataError(f"{paths.shown(folder / CHECKSUMS)}: does not name {name}")


def check_part(folder: Path, part: str) -> None:
    """Check every file below ``part`` of a finished folder. Raises as `check_files`."""
    if os.path.lexists(folder / CHECKSUMS):
        names = read_checksums(folder / CHECKSUMS)
        check_files(folder, [name for name in names if name.startswith(f"{part}/")])


def _check(folder: Path, name: str, expected: Checksum) -> None:
    path = folder / name
    shown = paths.shown(path)
    if not paths.exists(path):
        raise DataError(f"{shown}: no such file; it was there when {CHECKSUMS} was written")
    if paths.kind_of(path) != "file":
        raise DataError(f"{shown}: cannot be read: it is no regular file")
    size = path.stat().st_size
    if size < expected.bytes:
        raise DataError(f"{shown}: cut or changed: {size:,} bytes, not {expected.bytes:,}")
    if size > expected.bytes or file_hash(path) != expected.sha256:
        raise DataError(f"{shown}: changed since {paths.shown(folder / CHECKSUMS)} was written")


def _checksum(path: Path) -> Checksum:
    digest = file_hash(path)  # says what is wrong with what is no file
    return Checksum(bytes=path.stat().st_size, sha256=digest)


def _names(folder: Path) -> set[str]:
    """Everything below a folder that is no folder."""
    return {
        (Path(base) / name).relative_to(folder).as_posix()
        for base, _, names in os.walk(folder)
        for name in names
    }
