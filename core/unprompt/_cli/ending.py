"""The end of a command that a job manager, ``docker stop`` or a closed terminal asks for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def orderly_end() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt, so that nothing half-made is left behind.

    It is not SystemExit, which is a mistake of the plugin in whose code it comes up. The exit code
    is 128 and the signal's number, as a shell gives it. A second SIGTERM ends the process at once.
    A second SIGHUP does nothing: a closed terminal and its shell send one each. Signals that are
    ignored, as under ``nohup``, or that somebody handles stay as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    owner = os.getpid()
    ended: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if os.getpid() != owner:  # a fork of ours has nothing to put in order
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        ended.append(number)
        raise KeyboardInterrupt

    handled = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, end)
    try:
        yield
    except (KeyboardInterrupt, SystemExit):  # typer turns the one into the other
        if ended:
            raise SystemExit(128 + ended[0]) from None
        raise
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)
