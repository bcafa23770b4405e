"""What an observer of runs implements, and what it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unprompt.embeddings import Embeddings
from unprompt.types import Json


@dataclass(frozen=True, slots=True)
class RunView:
    """What observers are told about a run; read-only.

    Attributes:
        name: The experiment's name.
        folder: The run's folder; it is complete from ``unprompt_run_finished`` on.
        experiment: The resolved configuration, as plain data.
    """

    name: str
    folder: Path
    experiment: Mapping[str, Json] = field(default_factory=dict)


class Observer:
    """Follows a run, such as a tracker; an experiment names it under ``observers``.

    Built once per run from its validated options. Subclasses override what they want to hear of;
    the methods are called when the hooks of the same names are (``unprompt_run_started`` and so
    on).
    """

    def __init__(self, options: Any) -> None:
        """Store the options, an instance of the spec's options model."""
        self.options = options

    def run_started(self, run: RunView) -> None:
        """The configuration is valid and the run's folder exists; no image is opened yet."""
        return

    def training_measured(
        self, run: RunView, member: str, step: int, values: Mapping[str, float]
    ) -> None:
        """A member's training measured something.

        An exception here does not end the run, as those of the other methods do: it is a warning,
        once, and this method is not called any more for that training.

        Args:
            run: The run.
            member: The member's name in the ensemble.
            step: Optimiser steps taken so far.
            values: Metrics by name, such as ``loss``; may be NaN or infinite.
        """
        return

    def member_predicted(
        self, run: RunView, member: str, split: str, embeddings: Embeddings
    ) -> None:
        """A member predicted a split.

        Args:
            run: The run.
            member: The member's name in the ensemble.
            split: ``holdout`` or ``test``.
            embeddings: Unit rows, or zero rows where the member has no answer, keyed by
                ``image_id``, of shape (N, D), read-only.
        """
        return

    def run_finished(self, run: RunView, scores: Json) -> None:
        """Everything is written; ``scores`` is a copy of the content of ``scores.json``."""
        return

    def run_failed(self, run: RunView, error: BaseException) -> None:
        """The run ended early; its folder is removed after this call."""
        return
