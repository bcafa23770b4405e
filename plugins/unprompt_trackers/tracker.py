"""What both trackers do: nothing that goes wrong in one ever fails a run."""

from __future__ import annotations

import datetime
import logging
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from unprompt import ConfigError, Observer, RunView
from unprompt_trackers.values import measured, scores_of

log = logging.getLogger(__name__)


class Tracker(Observer):
    """Writes a run to a tracker.

    What a tracker raises is one warning; after it, the tracker hears only of the run's end. A
    subclass says how; each of its methods may raise anything.
    """

    kind: str
    """The tracker's name, which is also the name of its extra."""

    def __init__(self, options: Any) -> None:
        """Import the tracker.

        Raises:
            ConfigError: It is not installed.
        """
        super().__init__(options)
        self._begun = self._failed = False
        try:
            self.load()
        except ImportError as error:
            install = f"pip install 'unprompt[{self.kind}]'"
            raise ConfigError(
                f"the observer {self.kind!r} needs a package: {error}; {install}"
            ) from error

    @abstractmethod
    def load(self) -> None:
        """Import the package. Raises ImportError."""

    @abstractmethod
    def begin(self, run: RunView) -> None:
        """Start a run in the tracker, with its configuration."""

    @abstractmethod
    def write(self, values: Mapping[str, float], step: int | None) -> None:
        """Write metrics; without a step they are the run's results."""

    @abstractmethod
    def finish(self, run: RunView) -> None:
        """Everything is written; the run has its final folder."""

    @abstractmethod
    def fail(self, error: BaseException) -> None:
        """The run ended early."""

    def run_started(self, run: RunView) -> None:
        """Start a run in the tracker."""
        self._begun = True  # whether it works or not: half a start has to be ended, too
        self._safely(lambda: self.begin(run))

    def training_measured(
        self, run: RunView, member: str, step: int, values: Mapping[str, float]
    ) -> None:
        """Write the metrics of a member's training."""
        if self._begun and not self._failed:
            self._safely(lambda: self.write(measured(member, values), step))

    def run_finished(self, run: RunView, scores: Any) -> None:
        """Write the scores, and that the run finished."""
        if self._begun:
            self._safely(lambda: self.write(scores_of(scores), None))
            self._safely(lambda: self.finish(run))

    def run_failed(self, run: RunView, error: BaseException) -> None:
        """Write that the run failed, and why."""
        if self._begun:
            self._safely(lambda: self.fail(error))

    def _safely(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001  # a tracker never fails a run
            if not self._failed:
                why = " ".join(f"{type(error).__name__}: {error}".split())[:500]
                log.warning("%s: %s; the run goes on without it", self.kind, why)
            self._failed = True


def started_at() -> str:
    """The name of a run that starts now, as the folders of runs begin: the time in UTC."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")


def why(error: BaseException) -> str:
    """What ended a run, as a tracker shows it."""
    return f"{type(error).__name__}: {error}"
