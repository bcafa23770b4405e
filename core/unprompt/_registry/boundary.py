"""The one place where code of plugins is called, so that what goes wrong there has an owner.

What a plugin prints goes to stderr: stdout is for results. A plugin that ends the program, as
``sys.exit`` does, ends the command with one line instead, and never with exit code 0.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from unprompt._registry.claims import Claim
from unprompt.errors import PluginError, UnpromptError

_PASS = (KeyboardInterrupt, GeneratorExit)
"""What is no failure of a plugin: Ctrl-C, and a caller that wants no more batches."""


@contextmanager
def loading(claim: Claim, what: str, hint: str = "") -> Iterator[None]:
    """Import a plugin or call a hook: every failure is one line.

    Args:
        claim: The plugin.
        what: Completes the label: ``failed to load``.
        hint: The end of the line.

    Raises:
        PluginError: The block raised anything; the cause is kept.
    """
    try:
        with _stdout_to_stderr():
            yield
    except _PASS:
        raise
    except BaseException as error:  # a plugin may raise anything, SystemExit included
        raise PluginError(f"{claim.label}{what}{_described(error)}{hint}") from error


@contextmanager
def calling(claim: Claim, what: str) -> Iterator[None]:
    """Call what a plugin offers: its exceptions keep their traceback and get a note.

    Args:
        claim: The plugin.
        what: The call, such as ``Predictor.predict``.

    Raises:
        UnpromptError: As the plugin raised it.
        PluginError: The plugin tried to end the program.
    """
    try:
        with _stdout_to_stderr():
            yield
    except (UnpromptError, *_PASS):
        raise
    except Exception as error:
        error.add_note(f"raised in {what} of {claim.label}")
        raise
    except BaseException as error:
        line = f"{claim.label}: {what} ended the program: {_described(error)}"
        raise PluginError(line) from error


class Guarded:
    """What a plugin built, with every call of a method inside `calling`.

    Iterators that a method returns are advanced inside it, too.
    """

    def __init__(self, value: object, claim: Claim) -> None:
        """Store both."""
        self._value, self._claim = value, claim

    @property  # type: ignore[misc]  # a stand-in has the class of what it stands for
    def __class__(self) -> type:  # as every object's
        return type(self._value)

    def __getattr__(self, name: str) -> Any:  # whatever the plugin has
        """An attribute of what the plugin built; a method is wrapped."""
        what = f"{type(self._value).__name__}.{name}"
        with calling(self._claim, what):
            attribute = getattr(self._value, name)
        return self._method(attribute, what) if callable(attribute) else attribute

    def _method(self, method: Callable[..., Any], what: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:  # as above
            with calling(self._claim, what):
                result = method(*arguments, **options)
            return self._items(result, what) if isinstance(result, Iterator) else result

        return call

    def _items(self, iterator: Iterator[Any], what: str) -> Iterator[Any]:
        while True:
            with calling(self._claim, what):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item


def overrides(built: object, base: type, name: str) -> bool:
    """Whether what a plugin built has a method of its own where ``base`` has a default."""
    value = built._value if isinstance(built, Guarded) else built
    return getattr(type(value), name) is not getattr(base, name)


_lock = threading.Lock()
_replaced: list[TextIO] = []
"""What stdout was before each of the calls that are under way; the first is the real one."""


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Send prints to stderr until the last of the calls that are under way is done."""
    with _lock:
        _replaced.append(sys.stdout)
        sys.stdout = sys.stderr
    try:
        yield
    finally:
        with _lock:
            before = _replaced.pop()
            if not _replaced:
                sys.stdout = before


def _described(error: BaseException) -> str:
    """An error on one line, with its type."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
