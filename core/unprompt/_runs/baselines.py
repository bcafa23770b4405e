"""What a blend has to beat, and what is to be said where it does not; the same everywhere."""

from __future__ import annotations

from unprompt._runs.coverage import Part
from unprompt._runs.scores import Scores, SplitScores
from unprompt._scoring.digits import fixed
from unprompt._scoring.estimate import FEW_GROUPS, Estimate
from unprompt._scoring.intervals import LEAST_GROUPS


def baselines(scores: Scores) -> dict[str, Estimate]:
    """The blend minus each baseline on test, by the baseline's name."""
    paired = scores.test.paired
    differences = {
        "best member": paired.ensemble_minus_best_member,
        "equal weights": paired.ensemble_minus_equal,
    }
    if paired.ensemble_minus_query is not None:
        differences["query itself"] = paired.ensemble_minus_query
    return differences | {"floor": paired.ensemble_minus_floor}


def notes(scores: Scores) -> list[str]:
    """Sentences on what limits a run's numbers, each without its full stop; often there is none."""
    test, lines = scores.test, list[str]()
    for name, difference in baselines(scores).items():
        above = difference.negated()
        if name == "query itself" and above.score > 0:
            members = test.query.members if test.query else ()
            lines.append(
                f"the query itself, the mean of the image embeddings of {', '.join(members)}, "
                f"scores {fixed(above.score)} above the blend, without bank, head, text or search"
            )
        elif above.score > 0 and len(scores.members) > 1:
            verb = "score" if name == "equal weights" else "scores"
            lines.append(f"{_named(name, scores)} {verb} {fixed(above.score)} above the blend")
    if test.oracle is not None and test.gap_closed is None:
        lines.append("the oracle is not above the floor, so there is no gap to close")
    lines += coverage_notes(test)
    caution = few_groups(test.groups)
    return [*lines, caution] if caution else lines


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


def _named(name: str, scores: Scores) -> str:
    if name == "best member":
        return f"the best member, {scores.test.best_member},"
    return name if name == "equal weights" else f"the {name}"
