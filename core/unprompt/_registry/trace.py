"""``UNPROMPT_TRACE_PLUGINS=1``: each call of a plugin is a line on stderr."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from unprompt._registry.wording import class_name

VARIABLE = "UNPROMPT_TRACE_PLUGINS"

_nesting = threading.local()


@contextmanager
def traced(owner: str, call: str) -> Iterator[None]:
    """Print, as the block ends, whose call it was and how long it took; nothing unless asked for.

    A call inside another one is printed before it, indented.

    Args:
        owner: The plugin, as errors name it.
        call: An import, a hook, or a method; empty: nothing that is worth a line.
    """
    if not call or os.environ.get(VARIABLE, "0") in ("", "0"):
        yield
        return
    depth = getattr(_nesting, "depth", 0)
    _nesting.depth = depth + 1
    ending = ""
    start = time.perf_counter()
    try:
        yield
    except BaseException as error:
        ending = f", raised {class_name(type(error))}"
        raise
    finally:
        spent = 1000 * (time.perf_counter() - start)
        _nesting.depth = depth
        _print(f"{'  ' * depth}trace: {owner}: {call}: {spent:.2f} ms{ending}")


def _print(line: str) -> None:
    if sys.stderr is not None:
        with suppress(OSError, ValueError):  # closed: nobody reads it
            sys.stderr.write(f"{line}\n")
