"""The folder of a bank in the making: what was asked for, who works where, and how it ends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import TypeAdapter

from unprompt._files import paths
from unprompt._files.locks import open_lock, take_lock
from unprompt._files.reading import read_typed
from unprompt._files.refusals import cannot_be_written
from unprompt._files.workplace import make_folder
from unprompt._files.writing import write_json
from unprompt.bank.store.manifest import MANIFEST, SHARDS
from unprompt.bank.store.progress import BUILDING
from unprompt.errors import OutputError, UnpromptError

REQUEST = "request.json"
SPILL, ORDER, LOCKS, MADE = "spill", "order", "locks", "made.json"

_ENDED = f"{BUILDING}.ended"


def building(folder: Path) -> Path:
    """Where a bank's building keeps what only it needs."""
    return folder / BUILDING


def main_lock(folder: Path) -> Path:
    """The lock of who reads the sources, finishes or gives up."""
    return building(folder) / "lock"


def begin(folder: Path) -> None:
    """Make a bank's folder, or join those who build it.

    Raises:
        OutputError: It holds something else, or cannot be written; folders that were made are
            removed again.
    """
    if paths.kind_of(folder) not in ("missing", "folder"):
        raise taken(folder)
    made = [path for path in (folder, *folder.parents) if not paths.exists(path)]
    with cannot_be_written(folder):
        try:
            make_folder(folder)
            if not building(folder).is_dir():
                # Others may begin or finish it in this moment: what is in it is looked at first.
                there = os.listdir(folder)
                if building(folder).is_dir() or is_finished(folder):
                    return
                if there:
                    raise taken(folder)
                _make_building(folder, len(made))
        except BaseException:
            with suppress(OSError):
                for path in made:
                    path.rmdir()
            raise


def _make_building(folder: Path, made: int) -> None:
    """Make what `building` names, or nothing: a full disk takes folders and no bytes.

    Raises:
        OSError: It cannot be written.
        OutputError: As well.
    """
    try:
        (building(folder) / LOCKS).mkdir(parents=True, exist_ok=True)
        write_json(building(folder) / MADE, made)
    except BaseException:
        shutil.rmtree(building(folder), ignore_errors=True)
        raise


def taken(folder: Path) -> OutputError:
    """The line for a folder that is no bank of this request."""
    return OutputError(f"{paths.shown(folder)}: exists already; choose another folder or remove it")


@contextmanager
def held(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock of a bank that is built: a file whose lock ends with the process.

    Args:
        path: The lock's file, inside `building`.
        wait: Whether to wait for another process.

    Yields:
        Whether it is held; False, too, where the building has ended meanwhile.
    """
    try:
        handle = open_lock(path)
    except FileNotFoundError:
        yield False
        return
    try:
        yield take_lock(handle, wait=wait) and _still_there(handle, path)
    finally:
        os.close(handle)


def _still_there(handle: int, path: Path) -> bool:
    """Whether the file that was opened is the one of this name: another process may have ended."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def end(folder: Path) -> None:
    """Remove what only the building needed; the bank is finished.

    It is renamed first: another process that opens a lock of it then finds none.
    """
    ended = folder / _ENDED
    with suppress(OSError):
        shutil.rmtree(ended, ignore_errors=True)
        building(folder).rename(ended)
    shutil.rmtree(ended, ignore_errors=True)


def give_up(folder: Path) -> None:
    """Remove a bank that has no finished shard, and the folders that were made for it."""
    made = 0
    with suppress(UnpromptError):  # a process was killed before it wrote how many there are
        made = read_typed(building(folder) / MADE, TypeAdapter(int))
    end(folder)
    shutil.rmtree(folder / SHARDS, ignore_errors=True)
    with suppress(OSError):
        for path in (folder, *folder.parents)[:made]:
            path.rmdir()


def is_finished(folder: Path) -> bool:
    """Whether a bank has its manifest."""
    return paths.is_file(folder / MANIFEST)
