"""The tracebacks of plugins' exceptions, without the frames of those who called the plugin."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pluggy

from unprompt.errors import PluginFailure, UnpromptError

_CALLERS = (str(Path(__file__).parent), str(Path(pluggy.__file__).parent), "<frozen importlib")


def failures(error: BaseException | None) -> Iterator[PluginFailure]:
    """The failures of plugins behind an error: itself, or what caused it; each once."""
    if isinstance(error, PluginFailure):
        yield error
    elif isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from failures(part)
    elif isinstance(error, UnpromptError):
        yield from failures(error.__cause__)


def traceback_of(failure: PluginFailure) -> str:
    """The traceback of what a plugin raised, from its own first frame on.

    Returns:
        Lines as Python prints them; nothing where the plugin's code was not reached, as when a
        function takes other arguments.
    """
    cause = failure.__cause__
    frames = None if cause is None else _own_frames(cause.__traceback__)
    if cause is None or (frames is None and not isinstance(cause, SyntaxError)):
        return ""
    try:
        return "".join(traceback.format_exception(type(cause), cause, frames))
    except Exception:  # noqa: BLE001  # an exception of a plugin may fail to say what it is
        return "".join(traceback.format_tb(frames))


def _own_frames(frames: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is neither ours, pluggy's nor the import system's."""
    while frames is not None and _is_caller(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return frames


def _is_caller(file: str) -> bool:
    return file.startswith(_CALLERS) or file.endswith(("contextlib.py", "importlib/__init__.py"))
