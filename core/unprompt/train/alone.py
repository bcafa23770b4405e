"""One training in a folder at a time: a lock that ends with its process, however that ends."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unprompt._files import paths
from unprompt._files.locks import open_lock, take_lock
from unprompt._files.refusals import cannot_be_written
from unprompt._files.workplace import make_folder
from unprompt.errors import OutputError

LOCK = "training.lock"
"""The file in a training's folder that its process holds; it says who that is."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make a folder, and be the only process that trains in it.

    A file system without locks gives none; then whoever starts two trainings has to know.

    Raises:
        OutputError: Another process trains there; or the folder cannot be written.
    """
    with cannot_be_written(folder):
        make_folder(folder)
        handle = open_lock(folder / LOCK)
    try:
        if not take_lock(handle, wait=False):
            raise _taken(folder, handle)
        with suppress(OSError):  # a full disk: then it does not say who holds it
            os.ftruncate(handle, 0)
            os.pwrite(handle, _own().encode(), 0)
        yield
    finally:
        os.close(handle)


def _own() -> str:
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    return json.dumps({"process": os.getpid(), "machine": platform.node(), "started": started})


def _taken(folder: Path, handle: int) -> OutputError:
    """The line that says who trains there."""
    who = "another process"
    with suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(os.pread(handle, 4096, 0))
        who = f"process {known['process']} on {known['machine']}, since {known['started']}"
    return OutputError(
        f"{paths.shown(folder)}: {who}, trains in this folder; wait until it has ended, or "
        "choose another folder with `unprompt train ... --runs`"
    )
