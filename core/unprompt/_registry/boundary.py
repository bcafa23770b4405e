"""The one place where code of plugins is called, so that what goes wrong there has an owner.

Whatever a plugin raises becomes an error whose line names plugin, distribution, version and call:
exceptions and ``sys.exit`` are a `PluginFailure`, which is shown with the plugin's traceback and
exit code 1; a mistake of the user that the plugin reports, an `UnpromptError`, stays one line and
exit code 2. What a plugin prints goes to stderr: stdout is for results. What it changes in the
process is undone (`state`), what it is handed it cannot change for others (`handed`), and what it
returns is checked (`returned`).

What cannot be caught here is a crash, and an import that never ends: `unprompt._registry.check`
loads plugins in processes of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FunctionType
from typing import Any

from unprompt._files.refusals import no_room, refused
from unprompt._registry.claims import Claim
from unprompt._registry.exits import exits_raised, is_ctrl_c
from unprompt._registry.handed import handed
from unprompt._registry.returned import checked, is_method, is_property, item_check, role_of
from unprompt._registry.slow import named_when_slow
from unprompt._registry.state import KeptState
from unprompt._registry.stdout import stdout_to_stderr
from unprompt._registry.threads import noting_threads
from unprompt._registry.trace import traced
from unprompt._registry.wording import described, one_line, what_is
from unprompt.contracts.data import Images
from unprompt.contracts.runtime import TextEncoder
from unprompt.errors import DataError, PluginError, PluginFailure, UnpromptError

OWN = "unprompt"
"""The distribution that this package belongs to."""


@contextmanager
def loading(claim: Claim, what: str, hint: str = "", *, call: str = "") -> Iterator[None]:
    """Import a plugin or call a hook: every error is a `PluginError`.

    Args:
        claim: The plugin.
        what: Completes the label: ``failed to load``.
        hint: The end of the line; says what to install where a module is missing.
        call: As `traced` prints it, and the line about a block that takes long.

    Raises:
        PluginFailure: The block raised anything else than below; the cause is kept.
        PluginError: It raised an `UnpromptError`, or lacks a module and there is a hint.
    """
    try:
        with named_when_slow(claim.label, call), _inside(claim, call):
            yield
    except BaseException as error:  # a plugin may raise anything, SystemExit included
        if isinstance(error, KeyboardInterrupt) and is_ctrl_c(error):
            raise
        if isinstance(error, PluginError) and error.named:  # of a plugin that this one calls
            raise
        line = f"{claim.label}{what}{described(error)}{hint}"
        mistake = isinstance(error, UnpromptError) or (hint and isinstance(error, ImportError))
        raise _named(PluginError(line) if mistake else PluginFailure(line)) from error


@contextmanager
def calling(claim: Claim, what: str, *, trace: bool = True) -> Iterator[None]:
    """Call what a plugin offers.

    Args:
        claim: The plugin.
        what: The call, such as ``Predictor.predict``.
        trace: Whether `traced` prints it.

    Raises:
        PluginFailure: The block raised an exception, or tried to end the program; the cause is
            kept.
        UnpromptError: As the plugin raised it, each line with the plugin and the call in front.
    """
    try:
        with _inside(claim, what if trace else ""):
            yield
    except UnpromptError as error:
        own_words = claim.distribution == OWN and not isinstance(error, PluginError)
        if not (error.named or own_words):
            name_problems(error, claim, what)
        raise
    except Exception as error:
        if no_room(error):  # nobody's bug, and whoever wrote says where
            error.add_note(f"raised in {what} of {claim.label}")
            raise
        start = f"{claim.label}: {what}"
        if line := refused(error):
            raise _named(PluginError(f"{start}: {line}")) from error
        raise _named(PluginFailure(f"{start} raised {described(error)}")) from error
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and is_ctrl_c(error):
            raise
        line = f"{claim.label}: {what} ended the program: {described(error)}"
        raise _named(PluginFailure(line)) from error


@contextmanager
def _inside(claim: Claim, call: str) -> Iterator[None]:
    """What holds for every call: stdout, threads, state, exits, the trace."""
    owner = claim.label
    with (
        stdout_to_stderr(),
        noting_threads(owner),
        KeptState(claim),
        exits_raised(),
        traced(owner, call),
    ):
        yield


def _named(error: PluginError) -> PluginError:
    error.named = True
    return error


def broken(claim: Claim, what: str) -> PluginError:
    """The error that a plugin does not keep its contract; ``what`` completes its label."""
    return _named(PluginError(f"{claim.label}{what}"))


def name_problems(error: UnpromptError, claim: Claim, what: str) -> None:
    """Put a plugin and its call in front of each line of an error, once."""
    if not error.named:
        error.prefix(f"{claim.label}: {what}: ")
        error.problems = tuple(one_line(problem, str, 4000) for problem in error.problems)
        error.named = True


class Guarded:
    """What a plugin built, with every call of a method inside `calling`.

    Iterators that a method returns are advanced inside it, and images opened.
    """

    def __init__(self, value: object, claim: Claim) -> None:
        """Store both."""
        self._value, self._claim, self._role = value, claim, role_of(value)

    @property  # type: ignore[misc]  # a stand-in has the class of what it stands for
    def __class__(self) -> type:  # as every object's
        return type(self._value)

    def __reduce__(self) -> tuple[type[Guarded], tuple[object, Claim]]:
        """Pickle what it stands for beside its plugin; trainings send images to workers."""
        return Guarded, (self._value, self._claim)

    def __getattr__(self, name: str) -> Any:  # whatever the plugin has
        """An attribute of what the plugin built; a method is wrapped."""
        what = f"{type(self._value).__name__}.{name}"
        if is_property(self._role, name) or not _is_plain_method(self._value, name):
            attribute = self._attribute(name, what)
        else:  # looking it up runs no code of the plugin
            attribute = getattr(self._value, name)
        if callable(attribute):
            return self._method(attribute, name, what)
        if is_method(self._role, name):
            raise broken(self._claim, f": {what}: is {what_is(attribute)}, not a method")
        return attribute

    def _attribute(self, name: str, what: str) -> Any:
        with calling(self._claim, what, trace=False):  # its call is what takes time
            try:
                attribute = getattr(self._value, name)
            except AttributeError:
                if hasattr(type(self._value), name):  # raised by a property
                    raise
            else:
                known = is_property(self._role, name)
                return checked(self._role, name, attribute, ()) if known else attribute
        raise AttributeError(f"{type(self._value).__name__!r} object has no attribute {name!r}")

    def _method(self, method: Callable[..., Any], name: str, what: str) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:  # as above
            given = tuple(map(handed, arguments))
            named = {key: handed(value) for key, value in options.items()}
            with calling(self._claim, what):
                result = method(*given, **named)
                result = checked(self._role, name, result, (*arguments, *options.values()))
            if isinstance(result, Images):
                return replace(result, source=Guarded(result.source, self._claim))
            if isinstance(result, TextEncoder):
                return Guarded(result, self._claim)
            if not isinstance(result, Iterator):
                return result
            return self._items(result, what, item_check(self._role, name, arguments))

        return call

    def _items(
        self, iterator: Iterator[Any], what: str, check: Callable[[Any], Any]
    ) -> Iterator[Any]:
        try:
            while True:
                with calling(self._claim, what):
                    try:
                        item = next(iterator)
                    except StopIteration:
                        return
                    item = check(item)
                yield item
        finally:  # the caller may want no more: what the plugin then does is its call, too
            if isinstance(iterator, Generator):
                with calling(self._claim, what):
                    iterator.close()


def _is_plain_method(value: object, name: str) -> bool:
    """Whether an attribute is a function of the value's class, found as Python always does."""
    kind = type(value)
    if kind.__getattribute__ is not object.__getattribute__:
        return False
    if name in getattr(value, "__dict__", ()):
        return False
    own = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
    return isinstance(own, FunctionType)


@contextmanager
def naming(built: object, name: str) -> Iterator[None]:
    """Name plugin and call where what a call gave breaks the contract, as its caller finds.

    Args:
        built: What a plugin built.
        name: The method that gave it.

    Raises:
        PluginError: The block raised one; its lines name plugin and call.
        DataError: The same.
    """
    try:
        yield
    except (PluginError, DataError) as error:
        if isinstance(built, Guarded) and (built._claim.distribution != OWN or _is_bug(error)):
            name_problems(error, built._claim, f"{type(built._value).__name__}.{name}")
        raise


def _is_bug(error: UnpromptError) -> bool:
    """Whether an error says that a contract is broken; others are about a user's data."""
    return isinstance(error, PluginError)


def overrides(built: object, base: type, name: str) -> bool:
    """Whether what a plugin built has a method of its own where ``base`` has a default."""
    value = built._value if isinstance(built, Guarded) else built
    return getattr(type(value), name) is not getattr(base, name)
