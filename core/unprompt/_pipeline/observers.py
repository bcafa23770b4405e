"""Whom a run tells what happens: lifecycle hooks of its plugins, and observers with options."""

from __future__ import annotations

from typing import Any

from unprompt._registry.parts import Experiment, Part
from unprompt._registry.plugins import Registry
from unprompt.contracts import Observer


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
        """Tell everybody.

        Args:
            event: The name of the observer's method; the hook's is ``unprompt_<event>``.
            arguments: Of both.

        Raises:
            UnpromptError: A call of a plugin failed.
        """
        self._registry.notify(self._experiment.plugins, f"unprompt_{event}", **arguments)
        for observer in self._built:
            getattr(observer, event)(**arguments)
