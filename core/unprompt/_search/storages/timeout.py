"""Wait for a server, but not for ever."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")

TIMEOUT = 5.0
"""Seconds in which a server has to answer."""


def within_timeout(call: Callable[[], T], seconds: float = TIMEOUT) -> T:
    """Give what ``call`` returns or raises, but not later than after ``seconds``.

    Not every driver has a timeout, and those that have call it differently.

    Raises:
        TimeoutError: No answer yet; the thread that waits for it does not outlive the process.
    """
    future: Future[T] = Future()

    def wait() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  # raised again where it is waited for
            future.set_exception(error)

    Thread(target=wait, daemon=True).start()
    return future.result(timeout=seconds)
