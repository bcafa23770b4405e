"""What is below a folder: links followed, every folder searched once, nothing passed over."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from unprompt._files.paths import reason

Enter = Callable[[tuple[str, ...], bool], bool]
"""Whether a folder, given by its names below the first one, is searched; and whether it is a link.
"""

_SPECIAL = {
    stat.S_IFIFO: "a FIFO and no file",
    stat.S_IFSOCK: "a socket and no file",
    stat.S_IFDIR: "a folder",
}
_DEVICE = "a device and no file"
_DANGLING = "a link to nothing"
_CIRCLE = "a link that leads in a circle"

NO_FILE = frozenset([*_SPECIAL.values(), _DEVICE, _DANGLING, _CIRCLE])
"""Problems of what is no file: nothing in it could be read by anybody."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something below a folder, other than the folders that were searched themselves.

    Attributes:
        parts: The names that lead from the folder to it.
        path: Where it is.
        problem: Why it is no file that can be opened; None for a regular file.
        folder: Whether it is a folder: not entered, or one that cannot be listed.
        unlisted: Whether it is a folder that cannot be listed.
    """

    parts: tuple[str, ...]
    path: Path
    problem: str | None = None
    folder: bool = False
    unlisted: bool = False


def is_hidden(parts: tuple[str, ...]) -> bool:
    """Whether a name starts with a dot."""
    return any(part.startswith(".") for part in parts)


def walk(root: Path, enter: Enter) -> Iterator[Entry]:
    """Everything below ``root``, in no particular order.

    Linked folders are searched after all others, so that a file which both lead to keeps its own
    path; one that was searched already, or that holds ``root``, is an entry with a problem.

    Args:
        root: A folder.
        enter: Whether a folder is searched; one that is not is an entry.
    """
    searched = _folders_above(root)
    folders: deque[tuple[Path, tuple[str, ...]]] = deque([(root, ())])
    links: deque[tuple[Path, tuple[str, ...]]] = deque()
    while folders or links:
        folder, parts = (folders or links).popleft()
        if not _first_time(folder, searched):
            yield Entry(parts, folder, "a link to a folder that is searched already")
            continue
        try:
            with os.scandir(folder) as listing:
                items = list(listing)
        except OSError as error:
            yield Entry(parts, folder, f"cannot be listed: {reason(error)}", True, True)
            continue
        for item in items:
            path, below = folder / item.name, (*parts, item.name)
            if not _is_folder(item):
                yield Entry(below, path, special_file(path))
            elif not enter(below, item.is_symlink()):
                yield Entry(below, path, "a folder that is not searched", True)
            else:
                (links if item.is_symlink() else folders).append((path, below))


def special_file(path: Path) -> str | None:
    """Why ``path`` is no file that can be opened; None for a regular file, links followed."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return _DANGLING if path.is_symlink() else "no such file"
    except OSError as error:
        return _CIRCLE if error.errno == errno.ELOOP else reason(error)
    if stat.S_ISREG(mode):
        return None
    return _SPECIAL.get(stat.S_IFMT(mode), _DEVICE)


def _is_folder(item: os.DirEntry[str]) -> bool:
    """Whether it leads to a folder; False where nobody can know."""
    with suppress(OSError):
        return item.is_dir()
    return False


def _folders_above(root: Path) -> set[tuple[int, int]]:
    """The identities of the folders that hold ``root``: a link to one leads back to it."""
    identities: set[tuple[int, int]] = set()
    with suppress(OSError, RuntimeError):
        for folder in root.resolve().parents:
            status = folder.stat()
            identities.add((status.st_dev, status.st_ino))
    return identities


def _first_time(folder: Path, searched: set[tuple[int, int]]) -> bool:
    """Whether the folder was not searched yet; remembers it."""
    try:
        status = folder.stat()
    except OSError:
        return True  # listing it will fail, with the reason
    identity = (status.st_dev, status.st_ino)
    new = identity not in searched
    searched.add(identity)
    return new
