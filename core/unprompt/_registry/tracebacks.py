"""The tracebacks of plugins' exceptions, without the frames of those who called the plugin."""

from __future__ import annotations

import contextlib
import importlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pluggy
import pydantic

from unprompt.errors import PluginFailure, UnpromptError

_CORE = Path(__file__).parents[1]
_LIBRARIES = [str(Path(str(module.__file__)).parent) for module in (pluggy, pydantic, importlib)]
_CALLERS = (str(_CORE / "_registry"), *_LIBRARIES, str(contextlib.__file__), "<frozen importlib")
"""Files of code that calls plugins."""
_PLUGINS = str(_CORE / "_builtin")
"""Plugins that come with the core."""


def failures(error: BaseException | None) -> Iterator[PluginFailure]:
    """The failures of plugins behind an error: itself, or what caused it; each once."""
    if isinstance(error, PluginFailure):
        yield error
    elif isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from failures(part)
    elif isinstance(error, UnpromptError):
        yield from failures(error.__cause__)


def print_failures(error: BaseException | None) -> None:
    """Print on stderr, for each failure of a plugin behind an error, its lines and traceback."""
    if sys.stderr is not None:
        for failure in failures(error):
            sys.stderr.write("\n".join([*failure.problems, traceback_of(failure)]).rstrip() + "\n")


def traceback_of(failure: PluginFailure) -> str:
    """The traceback of what a plugin raised, from its own first frame on.

    Returns:
        Lines as Python prints them, without the last line's end; nothing where the plugin's code
        was not reached, as when a function takes other arguments.
    """
    cause = failure.__cause__
    frames = None if cause is None else _own_frames(cause.__traceback__)
    if cause is None or (frames is None and not isinstance(cause, SyntaxError)):
        return ""
    try:
        return "".join(traceback.format_exception(type(cause), cause, frames)).rstrip("\n")
    except Exception:  # noqa: BLE001  # an exception of a plugin may fail to say what it is
        return "".join(traceback.format_tb(frames)).rstrip("\n")


def _own_frames(frames: TracebackType | None) -> TracebackType | None:
    """The traceback from the plugin's first frame on; without one, from the core's."""
    return _without(frames, (*_CALLERS, str(_CORE))) or _without(frames, _CALLERS)


def _without(frames: TracebackType | None, callers: tuple[str, ...]) -> TracebackType | None:
    """The traceback without its first frames, as long as these are in ``callers``."""
    while frames is not None:
        file = frames.tb_frame.f_code.co_filename
        if file.startswith(_PLUGINS) or not file.startswith(callers):
            break
        frames = frames.tb_next
    return frames
