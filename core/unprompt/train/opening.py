"""How many processes open the images of a fit, where its options do not say."""

from __future__ import annotations

import math
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from unprompt._files import paths
from unprompt.errors import DataError
from unprompt.train.job import Job
from unprompt.train.keeping import AT_ONCE
from unprompt.train.loader import AHEAD, check_sendable
from unprompt.train.samples import Samples

MOST = 8
"""Processes, at most."""
WORTH = 5_000
"""Images from which on processes pay: while they start, threads open some thousands."""
SHARED = Path("/dev/shm")  # where torch puts what processes send, on Linux


def processes_that_open(job: Job, count: int, *, ahead: bool = False) -> int:
    """Processes that open a fit's images, beside each process that fits.

    A GPU takes more images a second than the threads of one process can open; and while they try,
    they keep the process from asking the GPU for more.

    Args:
        job: Its option `workers` is taken as it is, where it is given.
        count: Images to open.
        ahead: Whether they are to be kept in memory.

    Returns:
        Their number; 0: threads of this process open them.
    """
    given, samples = job.options.workers, job.train
    if given is not None:
        return given
    if not job.device.startswith("cuda") or count < WORTH:
        return 0
    opener = samples.opener if ahead and isinstance(samples, Samples) else samples.remote
    if opener is None or not _may_start():
        return 0
    try:
        check_sendable(opener)
    except DataError:
        return 0
    beside = job.options.processes
    batch = (AT_ONCE if ahead else job.options.batch_size // beside) * math.prod(samples.shape)
    room = _room() // beside // (batch * (AHEAD + 1))
    return min(MOST, max(1, _cores() // beside), room)


def _cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _may_start() -> bool:
    """Whether processes can be started by a program that does not know of it.

    A new process runs the program's file again; without ``if __name__ == "__main__"`` all of it.
    """
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is None:  # an interactive session, of which there is nothing to run
        return True
    with suppress(OSError, UnicodeDecodeError):
        return "__name__" in Path(file).read_text(encoding="utf-8")
    return False


def _room() -> int:
    """Bytes that processes can send each other at once."""
    if not paths.exists(SHARED):
        return sys.maxsize
    return shutil.disk_usage(SHARED).free
