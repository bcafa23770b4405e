"""A line on what is there of a training that somebody stops."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)


@contextmanager
def saying_when_stopped(line: Callable[[], str]) -> Iterator[None]:
    """Log a line where Ctrl-C, or a signal that ends as it does, leaves the block.

    Args:
        line: What to say by then; empty: nothing.
    """
    try:
        yield
    except KeyboardInterrupt:
        if text := line():
            log.warning("%s", text)
        raise
