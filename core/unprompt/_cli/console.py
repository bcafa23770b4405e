"""Where output goes: results on stdout, progress and logs on stderr, mistakes as exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from unprompt.contracts import Progress, silent
from unprompt.errors import UnpromptError

T = TypeVar("T")


@contextmanager
def guarded() -> Iterator[None]:
    """Turn a user's mistake into its lines on stderr and exit code 2; a bug keeps its traceback."""
    try:
        yield
    except UnpromptError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201  # the one place where errors are shown
        for note in getattr(error, "__notes__", ()):
            print(note, file=sys.stderr)  # noqa: T201  # as above
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def progress_on(*, quiet: bool = False) -> Progress:
    """Progress bars on stderr; none with ``quiet`` or where stderr is no terminal."""
    if quiet or not sys.stderr.isatty():
        return silent
    return _bars


def _bars(items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return iter(track(items, description=what, total=total, console=console, transient=True))
