"""A finished run, and ``unprompt dashboard`` in a process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

Serve = Callable[..., AbstractContextManager[tuple[subprocess.Popen[str], str]]]

# A shell gives background jobs an interrupt signal that does nothing.
PROGRAM = """\
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from unprompt._cli.app import main
main()
"""


@pytest.fixture(scope="session")
def run_folder(finished_run: Callable[..., Path]) -> Path:
    """A run with its study of 30 trials in its folder; only to be read."""
    return finished_run()


@pytest.fixture(scope="session")
def serve() -> Serve:
    """``with serve(*arguments) as (process, line)``: the command, and what it says it serves."""

    @contextmanager
    def start(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
        command = [sys.executable, "-c", PROGRAM, "dashboard", *map(str, arguments)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
            assert process.stdout is not None
            try:
                line = process.stdout.readline()
                assert line, process.communicate()
                yield process, line
            finally:
                process.kill()

    return start
