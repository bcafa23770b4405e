"""Whom a run tells what happens: lifecycle hooks of its plugins, and observers with options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from unprompt._registry.boundary import broken, naming, overrides
from unprompt._registry.parts import Experiment, Part
from unprompt._registry.plugins import Registry
from unprompt._registry.wording import described
from unprompt.contracts import Observer
from unprompt.errors import PluginError, UnpromptError

REMOVED = "removed the run's folder"


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told of one event.

    Attributes:
        event: The name of the observer's method; the hook's is ``unprompt_<event>``.
        registry: The plugins.
        plugin: As the experiment names it.
        observer: What the plugin built; None: its hook is called.
    """

    event: str
    registry: Registry
    plugin: str
    observer: Observer | None = None

    def tell(self, arguments: Mapping[str, Any]) -> None:
        """Call the hook or the method.

        Raises:
            UnpromptError: The call failed, or removed the run's folder.
        """
        before = arguments["run"].folder.is_dir()
        self._call(arguments)
        if before:
            self._check_folder(arguments)

    def tell_safely(self, arguments: Mapping[str, Any]) -> str | None:
        """As `tell`; a failed call is given as a line that names the plugin.

        Raises:
            UnpromptError: The run's folder was removed.
        """
        before = arguments["run"].folder.is_dir()
        problem = None
        try:
            self._call(arguments)
        except Exception as error:  # noqa: BLE001  # whatever a plugin raises
            owner = f"{self.registry.claim(self.plugin).label}: "
            problem = in_words(error)
            problem = problem if isinstance(error, UnpromptError) else owner + problem
        if before:
            self._check_folder(arguments)
        return problem

    def _call(self, arguments: Mapping[str, Any]) -> None:
        if self.observer is None:
            self.registry.notify([self.plugin], f"unprompt_{self.event}", **arguments)
        else:
            getattr(self.observer, self.event)(**arguments)

    def _check_folder(self, arguments: Mapping[str, Any]) -> None:
        if arguments["run"].folder.is_dir():
            return
        if self.observer is None:
            claim = self.registry.claim(self.plugin)
            raise broken(claim, f": unprompt_{self.event} {REMOVED}")
        with naming(self.observer, self.event):
            raise PluginError(REMOVED)


class Observers:
    """Those who follow one run, in this order: hooks of the named plugins, then observers."""

    def __init__(self, experiment: Experiment, registry: Registry) -> None:
        """Store both; builds nothing."""
        self._experiment, self._registry = experiment, registry
        self._built: list[tuple[str, Observer]] = []

    def start(self, **arguments: Any) -> None:
        """Build each observer, then tell all that the run started.

        Raises:
            UnpromptError: An observer cannot be built, or a call of a plugin failed.
        """
        for part in self._experiment.observers:
            if isinstance(part, Part):
                observer = self._registry.build(part.spec, part.options)
                self._built.append((part.plugin, observer))
        self.tell("run_started", **arguments)

    def tell(self, event: str, **arguments: Any) -> None:
        """Tell each, up to the first that fails.

        Args:
            event: The name of the observer's method; the hook's is ``unprompt_<event>``.
            arguments: Of both.

        Raises:
            UnpromptError: A call of a plugin failed.
        """
        for listener in self._all(event):
            listener.tell(arguments)

    def end(self, event: str, **arguments: Any) -> None:
        """Tell each, whoever fails: a run that has ended cannot go on as running in a tracker.

        Args:
            event: As in `tell`.
            arguments: As in `tell`.

        Raises:
            UnpromptError: A call of a plugin failed; failures after the first one are its notes.
        """
        errors: list[Exception] = []
        for listener in self._all(event):
            try:
                listener.tell(arguments)
            except Exception as error:  # noqa: BLE001  # whatever a plugin raises
                errors.append(error)
        for later in errors[1:]:
            errors[0].add_note(in_words(later))
        if errors:
            raise errors[0]

    def listeners(self, event: str) -> list[Listener]:
        """Those who do something when they are told of an event; others need no call.

        Raises:
            PluginError: A plugin fails to load.
        """
        hook = f"unprompt_{event}"
        return [
            listener
            for listener in self._all(event)
            if (
                self._registry.implements(listener.plugin, hook)
                if listener.observer is None
                else overrides(listener.observer, Observer, event)
            )
        ]

    def _all(self, event: str) -> Iterator[Listener]:
        names = {self._registry.claim(name): name for name in self._experiment.plugins}
        for name in names.values():  # one plugin may be named with its distribution and without
            yield Listener(event, self._registry, name)
        for name, observer in self._built:
            yield Listener(event, self._registry, name, observer)


def in_words(error: Exception) -> str:
    """A failure as a note of another one."""
    return str(error) if isinstance(error, UnpromptError) else described(error)
