"""Runs that were scored on the same images, image by image against the first of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unprompt._runs.run import Run, load_run
from unprompt._runs.scores import ENSEMBLE
from unprompt._scoring.estimate import Estimate, Result, Verdict, verdict
from unprompt._scoring.intervals import Intervals
from unprompt.errors import DataError, named
from unprompt.types import DoubleArray


class Difference(Estimate):
    """A paired difference and what may be said of it."""

    verdict: Verdict


class Standing(Result):
    """What one predictor of a run reached on test.

    Attributes:
        name: The member, or ``ensemble``.
        score: Mean cosine.
        minus_first: The paired difference to the first run's; None for the first run itself.
    """

    name: str
    score: float
    minus_first: Difference | None


class ComparedRun(Result):
    """One run of a comparison.

    Attributes:
        run: Its folder, as it was given.
        experiment: The experiment's name.
        ensemble: Its blend, against the first run's blend.
        best_member: Its best member on test, against the first run's best.
    """

    run: str
    experiment: str
    ensemble: Standing
    best_member: Standing


class Comparison(Result):
    """Runs side by side.

    Attributes:
        images: Test images, the same of all runs.
        groups: Groups of near-duplicate prompts among them, as the first run has them.
        runs: In the order given.
    """

    images: int
    groups: int
    runs: tuple[ComparedRun, ...]


def compare(given: Sequence[Path | str | Run]) -> Comparison:
    """Compare finished runs on their test images.

    Runs may differ in everything but what is scored: the test images, their prompts and the
    text encoder, which together make the targets. The manifest's hashes of data and splits are
    not asked, because they change with images that only train uses.

    Args:
        given: Two or more runs or their folders; the others are compared with the first.

    Raises:
        DataError: Fewer than two, one twice, a folder that holds no run, or runs with different
            test sets.
    """
    if isinstance(given, str) or len(given) < 2:
        count = 1 if isinstance(given, str) else len(given)
        raise DataError(f"compare needs two runs or more, not {count}")
    _check_different([run.folder if isinstance(run, Run) else Path(run) for run in given])
    runs = [run if isinstance(run, Run) else load_run(run) for run in given]
    first = runs[0]
    for other in runs[1:]:
        _check_same_test(first, other)
    groups = [row.group for row in first.images]
    return Comparison(
        images=len(groups),
        groups=len(set(groups)),
        runs=tuple(_compared(run, first, Intervals(groups)) for run in runs),
    )


def _compared(run: Run, first: Run, intervals: Intervals) -> ComparedRun:
    def standing(name: str, against: str) -> Standing:
        values = _cosines(run, name, first)
        if run is first:
            return Standing(name=name, score=float(values.mean()), minus_first=None)
        lead = values - _cosines(first, against, first)
        mean = intervals.mean(lead)
        words = verdict(mean, intervals.group_count)
        difference = Difference(score=mean.score, ci95=mean.ci95, verdict=words)
        return Standing(name=name, score=float(values.mean()), minus_first=difference)

    return ComparedRun(
        run=str(run.folder),
        experiment=run.name,
        ensemble=standing(ENSEMBLE, ENSEMBLE),
        best_member=standing(run.scores.test.best_member, first.scores.test.best_member),
    )


def _cosines(run: Run, name: str, first: Run) -> DoubleArray:
    """A predictor's cosines, in the order of the first run's images."""
    cosines = {
        row.image_id: row.cosine if name == ENSEMBLE else row.members[name] for row in run.images
    }
    return np.array([cosines[row.image_id] for row in first.images])


def _check_different(folders: Sequence[Path]) -> None:
    resolved: set[Path] = set()
    for folder in folders:
        if folder.resolve() in resolved:
            raise DataError(f"{folder}: the same run twice")
        resolved.add(folder.resolve())


def _check_same_test(first: Run, other: Run) -> None:
    """Raise DataError with the first thing in which two test sets differ."""
    both = f"{first.folder} and {other.folder} cannot be compared"
    encoders = [run.manifest.text_encoder for run in (first, other)]
    if encoders[0] != encoders[1]:
        raise DataError(f"{both}: their text encoders differ ({encoders[0]}, {encoders[1]})")
    ours, theirs = ({row.image_id: row.prompt for row in run.images} for run in (first, other))
    unmatched = sorted(ours.keys() ^ theirs.keys())
    if unmatched:
        raise DataError(f"{both}: only one of them has the test images {named(unmatched)}")
    changed = [name for name, prompt in ours.items() if theirs[name] != prompt]
    if changed:
        raise DataError(f"{both}: other prompts for the test images {named(changed)}")
