"""What the steps of a run share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unprompt._members.context import Context
from unprompt._pipeline.dataset import DatasetSplits
from unprompt._pipeline.observers import Observers
from unprompt._pipeline.timings import Timings
from unprompt._registry.parts import Experiment
from unprompt._scoring.intervals import Intervals
from unprompt.contracts import RunView
from unprompt.types import BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class RunContext:
    """One run: what is asked for, on which images, with what.

    Attributes:
        experiment: Checked configuration; after the search, with the options that it chose.
        data: The dataset and its splits.
        context: Registry, runtime and cache.
        timings: Seconds by stage.
        view: What observers see.
        observers: Whom the run tells; None: nobody, as in a search alone.
        runs: The folder of the runs of all experiments, where trainings keep their checkpoints;
            None: they keep none.
    """

    experiment: Experiment
    data: DatasetSplits
    context: Context
    timings: Timings
    view: RunView
    observers: Observers | None = None
    runs: Path | None = None

    @property
    def members(self) -> list[str]:
        """The names of the members that take part, in the order of the ensemble."""
        return [member.name for member in self.experiment.members]

    def groups(self, split: str) -> Sequence[str]:
        """The group of each image of a split."""
        splits = self.data.splits
        return [splits.groups[name] for name in splits.ids[split]]

    def intervals(self, split: str) -> Intervals:
        """How means over a split's images get their intervals."""
        return Intervals(self.groups(split))

    def subsets(self, split: str) -> dict[str, BoolArray]:
        """Each subset that the dataset names in a split, by name: its images, of shape (N,)."""
        subset = {record.image_id: record.subset for record in self.data.records}
        own = [subset[name] for name in self.data.splits.ids[split]]
        names = sorted({name for name in own if name is not None})
        return {name: np.array([other == name for other in own]) for name in names}
