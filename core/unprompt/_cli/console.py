"""Where output goes: results on stdout, progress and logs on stderr, mistakes as exit code 2."""

from __future__ import annotations

import errno
import io
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, NoReturn, TypeVar

import typer

from unprompt._cli.ending import orderly_end
from unprompt._files.paths import working_folder
from unprompt._files.refusals import refused
from unprompt._masking import masked
from unprompt._registry.stdout import keep_from_exit_handlers
from unprompt._registry.threads import name_what_is_waited_for
from unprompt._registry.tracebacks import failures, traceback_of
from unprompt.contracts import Progress as ShowProgress
from unprompt.contracts import silent
from unprompt.errors import UnpromptError

T = TypeVar("T")

CLOSED_PIPE = 128 + signal.SIGPIPE
"""The exit code of a program whose reader, such as ``head``, has gone away."""


@contextmanager
def guarded() -> Iterator[None]:
    """Turn a user's mistake into its lines on stderr and exit code 2; a bug keeps its traceback.

    A bug of a plugin is the line that names plugin and call, below it the plugin's traceback, and
    exit code 1.

    A full disk, a file without permission, a reader that went away and a working directory that
    was deleted are no bugs. SIGTERM and SIGHUP end the block as Ctrl-C does.
    """
    _print_any_name()
    with orderly_end(), _ended_by_mistakes():
        yield


@contextmanager
def _ended_by_mistakes() -> Iterator[None]:
    """End the process, with its lines, where an error is nobody's bug."""
    try:
        try:
            yield
        finally:
            _flush()
            keep_from_exit_handlers()
            name_what_is_waited_for(say)
    except UnpromptError as error:
        lines = [*error.problems, *getattr(error, "__notes__", ())]
        bugs = [*failures(error)]
        _stop([*lines, *filter(None, map(traceback_of, bugs))], code=1 if bugs else 2)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):  # typer makes it exit code 1
            raise SystemExit(CLOSED_PIPE) from None
        raise
    except FileNotFoundError:
        _stop_without_working_folder()
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            _close_stdout()
            raise SystemExit(CLOSED_PIPE) from None
        if (line := refused(error)) is None:
            sys.excepthook = _show_traceback  # typer has set its own by now
            raise
        _stop([line, *getattr(error, "__notes__", ())])


def _show_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Python's own traceback of a bug; secrets in its messages are masked."""
    text = "".join(traceback.format_exception(kind, error, trace))
    if (safe := masked(text)) == text:
        sys.__excepthook__(kind, error, trace)
    elif sys.stderr is not None:
        sys.stderr.write(safe)


class MaskingFormatter(logging.Formatter):
    """Log lines without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """As logging does it, masked."""
        return masked(super().format(record))


class ToStderr(logging.StreamHandler):  # type: ignore[type-arg]  # whatever stderr is
    """Writes to what is stderr now: a progress bar puts lines above itself there."""

    @property
    def stream(self) -> Any:
        """See the class."""
        return sys.stderr

    @stream.setter
    def stream(self, stream: object) -> None:
        """There is nothing to choose."""


def log_to_stderr() -> None:
    """Show warnings as plain lines, before a library sets up a format of its own."""
    logging.basicConfig(handlers=[ToStderr()])
    for handler in logging.getLogger().handlers:
        handler.setFormatter(MaskingFormatter("%(message)s"))


def _flush() -> None:
    """Write what waits for stdout, while an error of it can still be told."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        _close_stdout()
        if error.errno == errno.EPIPE:
            raise
        _stop([f"stdout: cannot be written: {(error.strerror or str(error)).lower()}"])


def _close_stdout() -> None:
    """Send what else comes to nowhere: Python flushes once more at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _stop(lines: Iterable[str], code: int = 2) -> NoReturn:
    for line in lines:
        say(line)
    raise SystemExit(code) from None


def _stop_without_working_folder() -> None:
    """Stop where the working directory is gone: a library that asked for it says only "no file"."""
    try:
        working_folder()
    except UnpromptError as error:
        _stop(error.problems)


def _print_any_name() -> None:
    """Names of files that the terminal's encoding lacks are printed with escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(line: str) -> None:
    """Print a line about the work on stderr; nowhere, where that is closed."""
    with suppress(OSError):
        typer.echo(masked(line), err=True)


def progress_on(*, quiet: bool = False) -> ShowProgress:
    """Progress bars on stderr; none with ``quiet`` or where stderr is no terminal."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        return silent
    return _bars


def _bars(items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
    """A bar with how many of how many, how many a second, and the time that remains."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.{0 if speed >= 100 else 1}f}/s")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        yield from bars.track(items, total=total, description=what)
