"""Which process holds something (a trial, a lock, a folder), and whether that process is gone."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told apart from any that gets its number later.

    Attributes:
        host: Its host's name, for people.
        machine: A hash of all that a process number is valid in: host, boot and process namespace;
            empty where the system does not say.
        started: When it started, in ticks of the clock since the boot.
        pid: Its number.
    """

    host: str
    machine: str
    started: str
    pid: int

    @classmethod
    def of(cls, pid: int | None = None) -> Owner:
        """This process, or another one of this machine."""
        own = os.getpid()
        return _known(own) if pid in (None, own) else _read(int(pid or own))

    @classmethod
    def parse(cls, text: object) -> Owner | None:
        """What `str` gave; None where it is something else."""
        parts = text.rsplit(":", 3) if isinstance(text, str) else []
        if len(parts) != 4 or not (parts[3].isascii() and parts[3].isdigit()):
            return None
        return cls(parts[0], parts[1], parts[2], int(parts[3][:18]))

    def __str__(self) -> str:
        """``host:machine:started:pid``, to be kept."""
        return f"{self.host}:{self.machine}:{self.started}:{self.pid}"

    @property
    def label(self) -> str:
        """For people."""
        return f"process {self.pid} on {self.host}"

    def is_gone(self) -> bool | None:
        """Whether the process has ended; None where that cannot be known from here."""
        if not self.machine or not self.started or self.machine != _machine():
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            pass  # somebody else's, and alive
        started = _started(self.pid)
        # Where /proc hides other users' processes, the number is all that is known.
        return started is not None and started != self.started


def _read(pid: int) -> Owner:
    return Owner(socket.gethostname(), _machine(), _started(pid) or "", pid)


_known = cache(_read)  # asked for at each line of a journal; only of this process, which stays so


@cache
def _machine() -> str:
    """A hash of what process numbers are valid in; empty on systems without ``/proc``."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = os.readlink(_PROC / "self/ns/pid")
    except (OSError, ValueError):
        return ""
    return hashlib.sha256(f"{socket.gethostname()} {boot} {namespace}".encode()).hexdigest()[:12]


def _started(pid: int) -> str | None:
    """When a process started; ``ended`` for one that only waits for its parent; None: unknown."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # its name, in parentheses, may hold anything
    return "ended" if fields[0] in "ZX" else fields[19]
