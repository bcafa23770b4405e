"""Runs that were scored on the same images, image by image against the first of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from unprompt._runs.coverage import Part
from unprompt._runs.run import Run, load_run
from unprompt._runs.scores import ENSEMBLE, SplitSize
from unprompt._scoring.estimate import Estimate, Result, Verdict, verdict
from unprompt._scoring.intervals import Intervals
from unprompt.errors import DataError, named


class Difference(Estimate):
    """A paired difference and what may be said of it."""

    verdict: Verdict


class Standing(Result):
    """What one predictor of a run reached on test.

    Attributes:
        name: The member, or ``ensemble``.
        score: Mean cosine; an image that it has no answer for counts 0.
        answered: The images that it has an answer for.
        minus_first: The paired difference to the first run's; None for the first run itself.
    """

    name: str
    score: float
    answered: int
    minus_first: Difference | None


class ComparedRun(Result):
    """One run of a comparison.

    Attributes:
        run: Its folder, as it was given.
        experiment: The experiment's name.
        ensemble: Its blend, against the first run's blend.
        best_member: Its best member on test, against the first run's best.
        read: Images whose prompt its blend read from their files.
        predicted: Its blend, against the first run's blend, on the images whose prompt none of
            the runs read; None where that is all of them, or none.
        reading: Members that read prompts from files and have no part in the blend -> where they
            read one, and what those score.
        subsets: Its blend, against the first run's blend, on each subset of the images.
    """

    run: str
    experiment: str
    ensemble: Standing
    best_member: Standing
    read: int = 0
    predicted: Standing | None = None
    reading: Mapping[str, Part] = {}
    subsets: Mapping[str, Standing] = {}


class Comparison(Result):
    """Runs side by side.

    Attributes:
        images: Test images, the same of all runs.
        groups: Groups of near-duplicate prompts among them, as the first run has them.
        runs: In the order given.
        predicted: Images whose prompt none of the runs read from its file.
        predicted_groups: Groups among those.
        subsets: Subsets of the images, as the first run has them, and how large they are.
    """

    images: int
    groups: int
    runs: tuple[ComparedRun, ...]
    predicted: int
    predicted_groups: int
    subsets: Mapping[str, SplitSize] = {}


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
    everywhere = [row.image_id for row in first.images]
    read = {row.image_id for run in runs for row in run.images if row.origin == "read"}
    predicted = [name for name in everywhere if name not in read]
    group = {row.image_id: row.group for row in first.images}
    subsets = _subsets(first)
    return Comparison(
        images=len(everywhere),
        groups=len(set(group.values())),
        runs=tuple(_compared(run, first, everywhere, predicted, subsets) for run in runs),
        predicted=len(predicted),
        predicted_groups=len({group[name] for name in predicted}),
        subsets={
            name: SplitSize(images=len(ids), groups=len({group[image] for image in ids}))
            for name, ids in subsets.items()
        },
    )


def _subsets(run: Run) -> dict[str, list[str]]:
    """The test images of each subset."""
    subsets: dict[str, list[str]] = {}
    for row in run.images:
        if row.subset is not None:
            subsets.setdefault(row.subset, []).append(row.image_id)
    return dict(sorted(subsets.items()))


def _compared(
    run: Run,
    first: Run,
    everywhere: Sequence[str],
    predicted: Sequence[str],
    subsets: Mapping[str, Sequence[str]],
) -> ComparedRun:
    best = run.scores.test.best_member, first.scores.test.best_member
    return ComparedRun(
        run=str(run.folder),
        experiment=run.name,
        ensemble=_standing((run, ENSEMBLE), (first, ENSEMBLE), everywhere),
        best_member=_standing((run, best[0]), (first, best[1]), everywhere),
        read=sum(row.origin == "read" for row in run.images),
        predicted=_standing((run, ENSEMBLE), (first, ENSEMBLE), predicted)
        if 0 < len(predicted) < len(everywhere)
        else None,
        reading=run.scores.test.reading,
        subsets={
            name: _standing((run, ENSEMBLE), (first, ENSEMBLE), ids)
            for name, ids in subsets.items()
        },
    )


def _standing(one: tuple[Run, str], first: tuple[Run, str], images: Sequence[str]) -> Standing:
    """A predictor of a run on some images, against one of the first run."""
    cosines = _cosines(*one, images)
    values = np.array([0.0 if value is None else value for value in cosines])
    difference: Difference | None = None
    if one[0] is not first[0]:
        others = [0.0 if value is None else value for value in _cosines(*first, images)]
        group = {row.image_id: row.group for row in first[0].images}
        intervals = Intervals([group[name] for name in images])
        mean = intervals.mean(values - np.array(others))
        words = verdict(mean, intervals.group_count)
        difference = Difference(score=mean.score, ci95=mean.ci95, verdict=words)
    return Standing(
        name=one[1],
        score=float(values.mean()),
        answered=sum(value is not None for value in cosines),
        minus_first=difference,
    )


def _cosines(run: Run, name: str, images: Sequence[str]) -> list[float | None]:
    """A predictor's cosines of some images; None where it has no answer."""
    if name == ENSEMBLE:
        own = {row.image_id: None if row.origin == "none" else row.cosine for row in run.images}
    else:
        own = {row.image_id: row.members[name] for row in run.images}
    return [own[image] for image in images]


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
