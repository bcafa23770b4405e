"""What a blend has to beat, and what is to be said where it does not; the same everywhere."""

from __future__ import annotations

from unprompt._runs.coverage import Part
from unprompt._runs.scores import Scores, SplitScores
from unprompt._scoring.digits import fixed
from unprompt._scoring.estimate import FEW_GROUPS, Estimate, Verdict, verdict
from unprompt._scoring.intervals import LEAST_GROUPS


def baselines(test: SplitScores) -> dict[str, Estimate]:
    """The blend minus each baseline on test or a subset of it, by the baseline's name."""
    paired = test.paired
    differences = {
        "best member": paired.ensemble_minus_best_member,
        "equal weights": paired.ensemble_minus_equal,
    }
    if paired.ensemble_minus_query is not None:
        differences["query itself"] = paired.ensemble_minus_query
    return differences | {"floor": paired.ensemble_minus_floor}


def notes(scores: Scores) -> list[str]:
    """Sentences on what limits a run's numbers, each without its full stop; often there is none."""
    test = scores.test
    lines = [
        _above(name, test, whole=True)
        for name, difference in _compared(test).items()
        if difference.score < 0
    ]
    if test.oracle is not None and test.gap_closed is None:
        lines.append("the oracle is not above the floor, so there is no gap to close")
    lines += coverage_notes(test)
    caution = few_groups(test.groups)
    lines += [caution] if caution else []
    # By chance something is above the blend on one of several subsets.
    return lines + [
        f"on the subset {name}, {_above(other, subset)}"
        for name, subset in test.subsets.items()
        for other, difference in _compared(subset).items()
        if verdict(difference, subset.groups) is Verdict.WORSE
    ]


def _compared(test: SplitScores) -> dict[str, Estimate]:
    """Baselines that are another prediction than the blend: with one member, the query alone."""
    several = len(test.members) > 1
    return {name: d for name, d in baselines(test).items() if several or name == "query itself"}


def _above(name: str, test: SplitScores, *, whole: bool = False) -> str:
    """How far a baseline is above the blend; on the whole split, also what the query itself is."""
    above = f"{fixed(-baselines(test)[name].score)} above the blend"
    if name == "best member":
        return f"the best member, {test.best_member}, scores {above}"
    if name == "equal weights":
        return f"equal weights score {above}"
    if whole and name == "query itself" and test.query:
        return (
            f"the query itself, the mean of the image embeddings of "
            f"{', '.join(test.query.members)}, scores {above}, without bank, head, text or search"
        )
    return f"the {name} scores {above}"


def coverage_notes(test: SplitScores) -> list[str]:
    """Sentences on what test images members and blend have no answer for, or only read."""
    lines = list[str]()
    origins, blend = test.origins, test.ensemble.answered
    if any(score.answered is not None for score in test.members.values()):
        lines.append("an image that a member has no answer for counts 0 in its score")
    lines += [
        f"{name} has an answer for none of the {test.images} test images"
        for name, score in test.members.items()
        if score.answered is not None and not score.answered.images
    ]
    if blend is not None:
        lines.append(
            f"nobody in the blend has an answer for {test.images - blend.images} of the "
            f"{test.images} test images: they count 0 in its score"
        )
    if origins is not None and origins.read.images:
        lines.append(
            f"the blend's score is a mean over {_counted(origins.read, 'that were read')} and "
            f"{_counted(origins.predicted, 'that were predicted')}: it is not the score of a "
            "prediction"
        )
    return lines


def _counted(part: Part, which: str) -> str:
    prompts = "1 prompt" if part.images == 1 else f"{part.images} prompts"
    return f"{prompts} {which}" + (f" ({fixed(part.score.score)})" if part.score else "")


def few_groups(groups: int) -> str | None:
    """What few groups of near-duplicate prompts mean for intervals; None where they are enough."""
    if groups < LEAST_GROUPS:
        what = "one group" if groups == 1 else f"{groups} groups"
        return (
            f"all images are of {what} of near-duplicate prompts: an interval needs "
            f"{LEAST_GROUPS} groups or more"
        )
    if groups < FEW_GROUPS:
        return f"{groups} groups of near-duplicate prompts are few: take the interval with caution"
    return None
