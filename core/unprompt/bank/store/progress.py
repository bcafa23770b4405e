"""How far the building of a bank is: a folder beside its shards, which is there until the end."""

from __future__ import annotations

from pathlib import Path

from unprompt._files import paths
from unprompt.bank.store.manifest import DONE, MANIFEST, SHARDS
from unprompt.errors import DataError

BUILDING = ".building"
"""The folder, inside the bank's."""

COLLECTED = "collected.json"
"""Its file that is written when all sources have been read."""


def check_bank(folder: Path) -> None:
    """Check that a folder is a finished bank.

    Raises:
        DataError: There is no such folder, it is unfinished, or no bank.
    """
    if paths.is_file(folder / MANIFEST):
        return
    shown = paths.shown(folder)
    if not paths.exists(folder):
        raise DataError(f"{shown}: no such folder")
    if not paths.is_folder(folder):
        raise DataError(f"{shown}: is no folder, so it is no bank")
    raise DataError(unfinished(folder) or f"{shown}: no {MANIFEST} in it, so it is no bank")


def unfinished(folder: Path) -> str | None:
    """What to say of a bank that is being built; None: nobody has begun one there."""
    if not paths.is_folder(folder / BUILDING):
        return None
    known = (folder / BUILDING / COLLECTED).is_file()
    shards = [path for path in (folder / SHARDS).glob("*") if path.name.isdigit()]
    done = sum((path / DONE).is_file() for path in shards)
    what = f"{done} of {len(shards)} shards are done" if known else "its sources are being read"
    return (
        f"{paths.shown(folder)}: an unfinished bank ({what}); the `unprompt bank build` that began "
        "it goes on where it stopped"
    )
