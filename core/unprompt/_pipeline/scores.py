"""All scores of a run: both splits, leave-one-out, ablations, and the study behind the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from unprompt._data.splits import leak
from unprompt._pipeline.context import RunContext
from unprompt._pipeline.evaluation import Evaluation
from unprompt._pipeline.members import MemberPredictions
from unprompt._runs.scores import (
    EVALUATED,
    AblationScore,
    History,
    Leak,
    Optimism,
    Scores,
    SplitSize,
)
from unprompt._scoring.blend import stack
from unprompt._search.ablations import ABLATIONS, Stacked
from unprompt._search.drop import Contribution, ScoredSplit, WeightedMembers, leave_one_out
from unprompt._search.engine import SearchResult
from unprompt._search.objective import GramObjective

Predictions = Mapping[str, MemberPredictions]


def run_scores(
    run: RunContext,
    predictions: Predictions,
    result: SearchResult,
    evaluations: Mapping[str, Evaluation],
) -> Scores:
    """The content of ``scores.json``.

    Args:
        run: The experiment and its data.
        predictions: Every member's.
        result: What the search came to.
        evaluations: Of ``holdout`` and ``test``.
    """
    data, names = run.data, run.members
    ids = data.splits.ids
    holdout, test = (evaluations[split].scores() for split in EVALUATED)
    folds = run.experiment.config.search.folds
    return Scores(
        experiment=run.experiment.config.name,
        weights=dict(zip(names, result.weights, strict=True)),
        searched_weights=dict(zip(names, result.searched, strict=True)),
        options={
            n: dict(chosen) for n, chosen in zip(names, result.options, strict=True) if chosen
        },
        search=result.summary,
        train=SplitSize(images=len(ids["train"]), groups=data.splits.group_count("train")),
        leak=Leak(
            train_holdout_max_cosine=None
            if folds
            else leak(data.targets, ids["train"], ids["holdout"]),
            train_test_max_cosine=leak(data.targets, ids["train"], ids["test"]),
        ),
        holdout=holdout,
        test=test,
        optimism=Optimism(score=holdout.ensemble.score - test.ensemble.score),
        leave_one_out=_leave_one_out(run, predictions, result),
        ablations=_ablations(run, predictions, evaluations["test"]),
        history=History(values=result.history, best=tuple(accumulate(result.history, max))),
        importances=result.importances,
    )


def _leave_one_out(
    run: RunContext, predictions: Predictions, result: SearchResult
) -> dict[str, Contribution]:
    """What each member adds to the blend, judged on the holdout and reported on test."""
    used = [i for i, weight in enumerate(result.weights) if weight > 0]
    bounds = run.experiment.config.search.bounds
    names = [run.members[i] for i in used]
    members = WeightedMembers(
        names,
        [result.weights[i] for i in used],
        [_limits(bounds.get(name)) for name in names] if bounds else None,
    )
    holdout, test = (
        ScoredSplit(_objective(run, predictions, split).subset(used), run.bootstrap(split))
        for split in EVALUATED
    )
    return leave_one_out(members, holdout, test)


def _limits(bounds: Sequence[float] | None) -> tuple[float, float]:
    """Lowest and highest weight of a member; 0 and 1 where the search block does not say."""
    low, high = bounds or (0.0, 1.0)
    return low, high


def _objective(run: RunContext, predictions: Predictions, split: str) -> GramObjective:
    stacked = _stacked(run, predictions, split)
    return GramObjective.from_predictions(stacked.members, stacked.targets)


def _ablations(
    run: RunContext, predictions: Predictions, test: Evaluation
) -> dict[str, AblationScore]:
    """Other ways to blend, fitted on the holdout, and what they are ahead of ours on test."""
    scores: dict[str, AblationScore] = {}
    for name in run.experiment.config.search.ablations:
        holdout_rows, test_rows = (_stacked(run, predictions, split) for split in EVALUATED)
        values = ABLATIONS[name](holdout_rows, test_rows, run.groups("holdout"))
        scores[name] = test.ablation(values)
    return scores


def _stacked(run: RunContext, predictions: Predictions, split: str) -> Stacked:
    ids = run.data.splits.ids[split]
    rows = [member.batches[split].embeddings for member in predictions.values()]
    return Stacked(stack(rows, ids), run.data.targets.select(ids).rows)
