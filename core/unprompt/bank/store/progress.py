"""How far the building of a bank is: a folder beside its shards, which is there until the end."""

from __future__ import annotations

from pathlib import Path

from unprompt._files import paths
from unprompt.bank.store.manifest import DONE, SHARDS

BUILDING = ".building"
"""The folder, inside the bank's."""

COLLECTED = "collected.json"
"""Its file that is written when all sources have been read."""


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
