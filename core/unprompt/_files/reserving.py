"""Folders that take hours to fill: the name is reserved at the start, as it is used at the end."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from unprompt._files import paths
from unprompt._files.refusals import cannot_be_written
from unprompt._files.workplace import Workplace, is_workplace, parents_of, workplace
from unprompt.errors import OutputError


class _TakenError(OutputError):
    """The name is somebody else's."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A name that nobody else gets, and where its content is made.

    Attributes:
        folder: Where to write.
        target: The final folder, as it was named, or resolved where the name contains ``..``.
        last: Entries that appear after all others: without them it counts as unfinished.
    """

    target: Path
    last: tuple[str, ...]
    _real: Path
    _work: Workplace
    _inside: bool

    @property
    def folder(self) -> Path:
        """Where to write; renamed or moved by `finish`."""
        return self._work.content

    def finish(self) -> None:
        """Give the content its final name.

        Raises:
            OutputError: That is impossible by now; says where the content is kept.
        """
        try:
            if self._inside:
                self._fill(self._real)
            else:
                self.folder.rename(self._real)
        except OSError as error:
            self._work.keep()
            raise OutputError(
                f"{paths.shown(self.target)}: cannot be written: {paths.reason(error)}; the "
                f"result is kept in {paths.shown(self.folder)}"
            ) from error

    def _fill(self, real: Path) -> None:
        """Move each entry into the user's folder, which may be a mount point or behind a link."""
        if os.listdir(real) != [self._work.folder.name]:
            raise FileExistsError(0, "it is no longer empty")
        rank = {name: number for number, name in enumerate(self.last, start=1)}
        for name in sorted(os.listdir(self.folder), key=lambda name: rank.get(name, 0)):
            (self.folder / name).rename(real / name)


@contextmanager
def reserved_folder(
    path: Path, *, numbered: bool = False, last: Sequence[str] = ()
) -> Iterator[Reservation]:
    """Reserve ``path`` and make its content somewhere beside it, or inside an empty folder.

    Without `Reservation.finish`, or when the block fails, nothing is left, and parent folders
    that were made for it are removed. What a killed process leaves is unfinished and hidden; the
    next reservation removes it.

    Args:
        path: A new folder or an empty one; links are followed.
        numbered: Take ``path-2`` and so on where ``path`` is taken, instead of failing.
        last: Entries that appear after all others.

    Raises:
        OutputError: The name is taken, or cannot be written.
    """
    for number in itertools.count(1):
        name = path if number == 1 else path.with_name(f"{path.name}-{number}")
        with ExitStack() as stack:
            try:
                reservation = _reserved(name, stack, new=numbered, last=tuple(last))
            except _TakenError:
                if not numbered:
                    raise
                continue
            yield reservation
            return


def _reserved(path: Path, stack: ExitStack, *, new: bool, last: tuple[str, ...]) -> Reservation:
    """Reserve one name; ``stack`` gives it back."""
    kind = paths.kind_of(path)
    if kind not in ("missing", "folder") or (new and kind == "folder"):
        raise _taken(path)
    with cannot_be_written(path):
        real = path.resolve()
        if kind == "folder" and not all(is_workplace(real / name) for name in os.listdir(real)):
            raise _taken(path)
        try:
            if kind == "folder":
                work = stack.enter_context(workplace(real, "."))
            else:
                stack.enter_context(parents_of(real))
                work = stack.enter_context(workplace(real.parent, real.name))
                real.mkdir()  # fails now for a name that this file system does not take
                real.rmdir()
        except FileExistsError as error:
            in_use = not paths.exists(real) or kind == "folder"
            raise _in_use(path) if in_use else _taken(path) from error
        work.content.mkdir()
    # missing/../run is made as run: nothing is found there by the name that was given.
    target = real if ".." in path.parts else path
    return Reservation(target, last, real, work, kind == "folder")


def _taken(path: Path) -> _TakenError:
    return _TakenError(f"{paths.shown(path)}: exists already; choose another folder or remove it")


def _in_use(path: Path) -> _TakenError:
    return _TakenError(
        f"{paths.shown(path)}: another process is writing it now; choose another folder"
    )
