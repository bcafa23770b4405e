"""Whom a run tells what happens: lifecycle hooks of its plugins, and observers with options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from unprompt._registry.boundary import broken, naming
from unprompt._registry.parts import Experiment, Part
from unprompt._registry.plugins import Registry
from unprompt._registry.wording import described
from unprompt.contracts import Observer
from unprompt.errors import PluginError, UnpromptError

REMOVED = "removed the run's folder"


class Observers:
    """Those who follow one run, in this order: hooks of the named plugins, then observers."""

    def __init__(self, experiment: Experiment, registry: Registry) -> None:
        """Store both; builds nothing."""
        self._experiment, self._registry = experiment, registry
        self._built: list[Observer] = []

    def start(self, **arguments: Any) -> None:
        """Build each observer, then tell all that the run started.

        Raises:
            UnpromptError: An observer cannot be built, or a call of a plugin failed.
        """
        for part in self._experiment.observers:
            if isinstance(part, Part):
                self._built.append(self._registry.build(part.spec, part.options))
        self.tell("run_started", **arguments)

    def tell(self, event: str, **arguments: Any) -> None:
        """Tell each, up to the first that fails.

        Args:
            event: The name of the observer's method; the hook's is ``unprompt_<event>``.
            arguments: Of both.

        Raises:
            UnpromptError: A call of a plugin failed.
        """
        for call in self._calls(event, **arguments):
            call()

    def end(self, event: str, **arguments: Any) -> None:
        """Tell each, whoever fails: a run that has ended cannot go on as running in a tracker.

        Args:
            event: As in `tell`.
            arguments: As in `tell`.

        Raises:
            UnpromptError: A call of a plugin failed; failures after the first one are its notes.
        """
        errors: list[Exception] = []
        for call in self._calls(event, **arguments):
            try:
                call()
            except Exception as error:  # noqa: BLE001  # whatever a plugin raises
                errors.append(error)
        for later in errors[1:]:
            errors[0].add_note(in_words(later))
        if errors:
            raise errors[0]

    def _calls(self, event: str, **arguments: Any) -> Iterator[Callable[[], None]]:
        names = {self._registry.claim(name): name for name in self._experiment.plugins}
        for name in names.values():  # one plugin may be named with its distribution and without
            yield partial(self._call_hook, name, f"unprompt_{event}", arguments)
        for observer in self._built:
            yield partial(self._call_observer, observer, event, arguments)

    def _call_hook(self, name: str, hook: str, arguments: Mapping[str, Any]) -> None:
        before = arguments["run"].folder.is_dir()
        self._registry.notify([name], hook, **arguments)
        if before and not arguments["run"].folder.is_dir():
            raise broken(self._registry.claim(name), f": {hook} {REMOVED}")

    def _call_observer(self, observer: Observer, event: str, arguments: Mapping[str, Any]) -> None:
        before = arguments["run"].folder.is_dir()
        getattr(observer, event)(**arguments)
        with naming(observer, event):
            if before and not arguments["run"].folder.is_dir():
                raise PluginError(REMOVED)


def in_words(error: Exception) -> str:
    """A failure as a note of another one."""
    return str(error) if isinstance(error, UnpromptError) else described(error)
