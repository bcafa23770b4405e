"""The lock of a journal: Optuna's own protocol, with the name of who holds it inside.

Optuna's processes lock ``study.journal`` by making ``study.journal.lock``, whatever it is, and take
a lock away that nobody has touched for 30 seconds. Ours is a file that names its process, so that
the next one on the same machine need not wait where that process was killed.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from unprompt._search.owner import Owner
from unprompt._search.storages.messages import notice
from unprompt._search.storages.signals import put_off

GRACE = 30.0
"""Seconds after which a lock is taken away whose process cannot be asked, as Optuna does it."""
_SAID_AFTER = 2.0
_POLL = (0.001, 0.05)  # seconds between two looks, the first and the longest


@dataclass(frozen=True, slots=True)
class _Held:
    """A lock that somebody holds: which file it is, and what it says of its process."""

    file: tuple[int, int]
    owner: Owner | None


class JournalLock:
    """Held by one process of all machines; not for use by several threads."""

    def __init__(self, journal: Path) -> None:
        """The lock of a journal, not yet held."""
        self._journal, self._path = journal, Path(f"{journal}.lock")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it; waits for others. While it is held, signals that end the process wait.

        Raises:
            OSError: It cannot be made beside the journal.
        """
        while True:
            with put_off():
                if own := self._make():
                    try:
                        yield
                    finally:
                        self._let_go(own)
                    return
            self._wait()

    def _let_go(self, own: tuple[int, int]) -> None:
        """Remove the lock, unless somebody took it away."""
        with suppress(FileNotFoundError):
            if _number(self._path.lstat()) == own:
                self._path.unlink()

    def _make(self) -> tuple[int, int] | None:
        """Make the lock's file and say which it is; None where there is one."""
        try:
            file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            return None
        try:
            os.write(file, str(Owner.of()).encode())
            return _number(os.fstat(file))
        except OSError:
            self._path.unlink()
            raise
        finally:
            os.close(file)

    def _look(self) -> _Held | None:
        """The lock as it is; None where nobody holds it."""
        try:
            stat = self._path.lstat()
            file = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError:  # Optuna's own is a link to the journal
            return _Held(_number(stat), None)
        try:
            text = os.read(file, 1024).decode(errors="replace")
        finally:
            os.close(file)
        return _Held(_number(stat), Owner.parse(text))

    def _wait(self) -> None:
        """Return when the lock may be free; takes it away from a process that is gone."""
        began, nap, first, said = time.monotonic(), _POLL[0], self._look(), False
        while first is not None and (held := self._look()) == first:
            waited = time.monotonic() - began
            gone = held.owner.is_gone() if held and held.owner else None
            if gone or waited > GRACE:
                self._take_away(first)
                return
            if waited > _SAID_AFTER and not said:
                said = True
                who = first.owner.label if first.owner else "a process that it does not name"
                notice(f"{self._path}: held by {who}; waiting, for at most {GRACE:.0f} seconds")
            time.sleep(nap)
            nap = min(2 * nap, _POLL[1])

    def _take_away(self, held: _Held) -> None:
        """Remove a lock, unless somebody else on this machine has just done so and holds it now."""
        with self._journal.open("rb") as journal:
            with suppress(OSError):  # file systems without such locks
                fcntl.flock(journal, fcntl.LOCK_EX)
            if self._look() == held:
                with suppress(FileNotFoundError):
                    self._path.unlink()


def _number(stat: os.stat_result) -> tuple[int, int]:
    """Which file it is; the next one often gets the number of the one before."""
    return stat.st_ino, stat.st_ctime_ns
