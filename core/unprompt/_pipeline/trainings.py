"""A member's training, as those who follow the run hear of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from unprompt._data.metrics import FOLDER, METRICS, read_metrics
from unprompt._files import paths
from unprompt._pipeline.context import RunContext
from unprompt._pipeline.observers import Listener
from unprompt._registry.parts import Member
from unprompt._registry.values import as_metrics
from unprompt._runs.files import training_folder
from unprompt.errors import DataError

log = logging.getLogger(__name__)

EVENT = "training_measured"


class Training:
    """What a member's training calls with its metrics: `TrainSet.metrics`.

    Who fails is named once, and hears no more of this training: it may have taken days.
    """

    def __init__(self, run: RunContext, member: Member) -> None:
        """Find out who wants to hear of it."""
        self._view, self._member = run.view, member.name
        self._listeners: list[Listener] = run.observers.listeners(EVENT) if run.observers else []
        self._last = -1

    def __call__(self, step: int, values: Mapping[str, float]) -> None:
        """Tell them.

        Raises:
            PluginError: The family gave no step and numbers; or somebody removed the run's folder,
                without which the run cannot go on.
        """
        number, measured = as_metrics(step, values)
        self._last = max(self._last, number)
        arguments = {"run": self._view, "member": self._member, "step": number, "values": measured}
        for listener in tuple(self._listeners):
            if (problem := listener.tell_safely(arguments)) is not None:
                self._listeners.remove(listener)
                log.warning("%s; it hears no more of the training of %r", problem, self._member)

    def complete(self, artifact: Path) -> None:
        """Tell them what an artifact says of steps that they have not heard of: it was cached."""
        path = artifact / FOLDER / METRICS
        if not self._listeners or not paths.is_file(path):
            return
        try:
            lines = read_metrics(path)
        except DataError as error:
            log.warning("member %r: %s", self._member, error)
            return
        for line in lines:
            if line.step > self._last:
                self(line.step, line.measured)


def work_folder(run: RunContext, member: Member, part: str = "") -> Path | None:
    """Where a member's training keeps its checkpoints; made by whoever writes there.

    Args:
        run: The run.
        member: The member.
        part: Of its trainings, such as a fold.

    Returns:
        The folder; None where it cannot be written.
    """
    if run.runs is None:
        return None
    folder = training_folder(run.runs, run.experiment.config.name, member.name) / part
    above = next(parent for parent in (folder, *folder.parents) if paths.exists(parent))
    return folder if paths.is_folder(above) and os.access(above, os.W_OK | os.X_OK) else None
