"""Pillow without its warnings while images are opened: this package says them itself, or not."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else Python prints what it logs


class _Silence:
    """One filter for any number of threads: `warnings.catch_warnings` would race between them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filter: object = None

    def enter(self) -> None:
        """Ignore warnings whose code is Pillow's, if nobody does yet."""
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                warnings.filterwarnings("ignore", module=r"PIL\.")
                self._filter = warnings.filters[0]

    def leave(self) -> None:
        """Heed them again after the last one has left."""
        with self._lock:
            self._inside -= 1
            if not self._inside:
                with suppress(ValueError):  # a test or a caller has put back older filters
                    warnings.filters.remove(self._filter)  # type: ignore[attr-defined]  # a list


_SILENCE = _Silence()


@contextmanager
def without_warnings() -> Iterator[None]:
    """Ignore the warnings of Pillow's modules in this block, in whichever thread."""
    _SILENCE.enter()
    try:
        yield
    finally:
        _SILENCE.leave()
