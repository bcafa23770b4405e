"""The one place where code of plugins is called, so that what goes wrong there has an owner.

What a plugin prints goes to stderr: stdout is for results. A plugin that ends the program, as
``sys.exit`` does, ends the command with one line instead, and never with exit code 0. What cannot
be caught here is ``os._exit``: `unprompt._registry.check` loads plugins in processes of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from unprompt._registry.claims import Claim
from unprompt._registry.stdout import stdout_to_stderr
from unprompt._registry.threads import noting_threads
from unprompt._registry.trace import traced
from unprompt.contracts.data import Images
from unprompt.errors import PluginError, UnpromptError


@contextmanager
def loading(claim: Claim, what: str, hint: str = "", *, call: str = "") -> Iterator[None]:
    """Import a plugin or call a hook: every failure is one line.

    Args:
        claim: The plugin.
        what: Completes the label: ``failed to load``.
        hint: The end of the line.
        call: As `traced` prints it.

    Raises:
        PluginError: The block raised anything; the cause is kept.
    """
    try:
        with stdout_to_stderr(), noting_threads(claim.label), traced(claim.label, call):
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may raise anything, SystemExit included
        raise PluginError(f"{claim.label}{what}{described(error)}{hint}") from error


@contextmanager
def calling(claim: Claim, what: str, *, trace: bool = True) -> Iterator[None]:
    """Call what a plugin offers: its exceptions keep their traceback and get a note.

    Args:
        claim: The plugin.
        what: The call, such as ``Predictor.predict``.
        trace: Whether `traced` prints it.

    Raises:
        UnpromptError: As the plugin raised it.
        PluginError: The plugin tried to end the program.
    """
    try:
        with (
            stdout_to_stderr(),
            noting_threads(claim.label),
            traced(claim.label, what if trace else ""),
        ):
            yield
    except (UnpromptError, KeyboardInterrupt):
        raise
    except Exception as error:
        error.add_note(f"raised in {what} of {claim.label}")
        raise
    except BaseException as error:
        line = f"{claim.label}: {what} ended the program: {described(error)}"
        raise PluginError(line) from error


class Guarded:
    """What a plugin built, with every call of a method inside `calling`.

    Iterators that a method returns are advanced inside it, and images opened.
    """

    def __init__(self, value: object, claim: Claim) -> None:
        """Store both."""
        self._value, self._claim = value, claim

    @property  # type: ignore[misc]  # a stand-in has the class of what it stands for
    def __class__(self) -> type:  # as every object's
        return type(self._value)

    def __reduce__(self) -> tuple[type[Guarded], tuple[object, Claim]]:
        """Pickle what it stands for beside its plugin; trainings send images to workers."""
        return Guarded, (self._value, self._claim)

    def __getattr__(self, name: str) -> Any:  # whatever the plugin has
        """An attribute of what the plugin built; a method is wrapped."""
        what = f"{type(self._value).__name__}.{name}"
        with calling(self._claim, what, trace=False):  # its call is what takes time
            attribute = getattr(self._value, name)
        return self._method(attribute, what) if callable(attribute) else attribute

    def _method(self, method: Callable[..., Any], what: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:  # as above
            with calling(self._claim, what):
                result = method(*arguments, **options)
            if isinstance(result, Images):
                return replace(result, source=Guarded(result.source, self._claim))
            return self._items(result, what) if isinstance(result, Iterator) else result

        return call

    def _items(self, iterator: Iterator[Any], what: str) -> Iterator[Any]:
        try:
            while True:
                with calling(self._claim, what):
                    try:
                        item = next(iterator)
                    except StopIteration:
                        return
                yield item
        finally:  # the caller may want no more: what the plugin then does is its call, too
            if isinstance(iterator, Generator):
                with calling(self._claim, what):
                    iterator.close()


def overrides(built: object, base: type, name: str) -> bool:
    """Whether what a plugin built has a method of its own where ``base`` has a default."""
    value = built._value if isinstance(built, Guarded) else built
    return getattr(type(value), name) is not getattr(base, name)


_LONGEST = 300
"""Letters of an exception's text that are shown."""


def described(error: BaseException) -> str:
    """An error on one printable line of bounded length, with its type."""
    return f"{type(error).__name__}: {one_line(error, str)}"


def one_line(value: object, words: Callable[[object], str] = repr) -> str:
    """What a plugin made as one printable line of at most `_LONGEST` letters.

    Args:
        value: Anything; it may fail to say what it is.
        words: ``repr`` or ``str``.
    """
    try:
        text = words(value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # a plugin may raise anything in its __str__
        return f"(its text cannot be shown: {type(error).__name__})"
    short = " ".join(text[: 10 * _LONGEST].split())
    cut = len(short) > _LONGEST or len(text) > 10 * _LONGEST
    printable = (
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in short[:_LONGEST]
    )
    return "".join(printable) + (" ..." if cut else "")
