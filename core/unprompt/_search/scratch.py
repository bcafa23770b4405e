"""A folder for the lock that a command's workers share; those of killed commands are swept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unprompt._files.paths import reason, shown
from unprompt._search.owner import Owner
from unprompt.errors import OutputError

PREFIX = "unprompt-search-"
OWNER = "owner"
"""The file that says whose a folder is."""
_OURS = {OWNER, "lock"}


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder of this process's in the system's folder for temporary files.

    Raises:
        OutputError: There is no room for it.
    """
    root = Path(tempfile.gettempdir())
    sweep(root)
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
        (folder / OWNER).write_text(str(Owner.of()), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{shown(root)}: cannot be written: {reason(error)}") from error
    try:
        yield folder
    finally:
        _remove(folder)


def sweep(root: Path) -> None:
    """Remove folders of processes that are gone: only what carries our mark and nothing else."""
    with suppress(OSError):
        for folder in root.glob(f"{PREFIX}*"):
            if not folder.is_symlink() and _is_abandoned(folder):
                _remove(folder)


def _is_abandoned(folder: Path) -> bool:
    """Whether a folder is ours, holds nothing else, and its process is known to be gone."""
    try:
        names = set(os.listdir(folder))
        if OWNER not in names or not names <= _OURS or folder.stat().st_uid != os.getuid():
            return False
        with (folder / OWNER).open(encoding="utf-8", errors="replace") as file:
            owner = Owner.parse(file.read(1024))
    except OSError:
        return False
    return owner is not None and owner.is_gone() is True


def _remove(folder: Path) -> None:
    with suppress(OSError):  # another process sweeps at the same time
        for name in _OURS:
            with suppress(FileNotFoundError):
                (folder / name).unlink()
        folder.rmdir()
