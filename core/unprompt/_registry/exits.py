"""How a plugin's call may try to end the program.

``os._exit`` would end a command in silence and with any exit code, and ``raise KeyboardInterrupt``
looks like Ctrl-C.
"""

from __future__ import annotations

import dis
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

_CORE = str(Path(__file__).parents[1] / "_cli")
"""Where signals are handled."""
_RAISE = dis.opmap["RAISE_VARARGS"]

_really = os._exit
_calls = threading.local()


@contextmanager
def exits_raised() -> Iterator[None]:
    """Let ``os._exit`` raise SystemExit in the block, as ``sys.exit`` does.

    Only in this thread, and not in a process that is forked inside the block, which ends so.
    """
    before = getattr(_calls, "process", None)
    _calls.process = os.getpid()
    os._exit = _exit
    try:
        yield
    finally:
        _calls.process = before


def _exit(status: int) -> NoReturn:
    if getattr(_calls, "process", None) == os.getpid():
        raise SystemExit(f"os._exit({status})")
    _really(status)


def is_ctrl_c(error: KeyboardInterrupt) -> bool:
    """Whether somebody interrupted the command; False: a plugin's code has ``raise`` there.

    Python raises for Ctrl-C between any two instructions, and handlers of ours are not plugins.
    """
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    if frames is None or frames.tb_frame.f_code.co_filename.startswith(_CORE):
        return True
    return frames.tb_frame.f_code.co_code[frames.tb_lasti] != _RAISE
