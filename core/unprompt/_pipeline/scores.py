"""All scores of a run: both splits, leave-one-out, ablations, and the study behind the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from unprompt._pipeline.context import RunContext
from unprompt._pipeline.evaluation import Evaluation
from unprompt._pipeline.leak import measure_leak
from unprompt._pipeline.members import MemberPredictions
from unprompt._runs.scores import (
    EVALUATED,
    AblationScore,
    FittingCost,
    History,
    Scores,
    SplitSize,
)
from unprompt._scoring.blend import stack
from unprompt._search.ablations import ABLATIONS, Stacked
from unprompt._search.cross_fit import cross_fitted_cosines
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
    search = run.experiment.config.search
    folds = data.folds(search.folds, search.seed) if search.folds else []
    stacked = {split: _stacked(run, predictions, split) for split in EVALUATED}
    return Scores(
        experiment=run.experiment.config.name,
        weights=dict(zip(names, result.weights, strict=True)),
        searched_weights=dict(zip(names, result.searched, strict=True)),
        options={
            n: dict(chosen) for n, chosen in zip(names, result.options, strict=True) if chosen
        },
        search=result.summary,
        train=SplitSize(images=len(ids["train"]), groups=data.splits.group_count("train")),
        leak=measure_leak(data, folds),
        holdout=holdout,
        test=test,
        fitting_cost=_fitting_cost(run, stacked["holdout"], result, evaluations, folds),
        leave_one_out=_leave_one_out(run, stacked, result),
        ablations=_ablations(run, stacked, evaluations["test"]),
        history=History(values=result.history, best=tuple(accumulate(result.history, max))),
        importances=result.importances,
    )


def _fitting_cost(
    run: RunContext,
    holdout: Stacked,
    result: SearchResult,
    evaluations: Mapping[str, Evaluation],
    folds: Sequence[Sequence[str]],
) -> FittingCost | None:
    """How much better the weights look where they were chosen.

    With folds, members predict the holdout with less to learn from than they predict test with,
    so that what is compared is both out of fold: the weights, and weights of the other folds.
    """
    config = run.experiment.config.search
    limits = [config.weight_bounds(name) for name in run.members]
    if len(run.members) == 1 or all(low == high for low, high in limits):
        return None
    ours, test = (evaluations[split] for split in EVALUATED)
    if not folds:
        lead, other = ours.ensemble - ours.equal, test.ensemble - test.equal
        cost = ours.intervals.minus(lead, test.intervals, other)
        return FittingCost(score=cost.score, ci95=cost.ci95, judged_on="test")
    position = {name: i for i, name in enumerate(run.data.splits.ids["holdout"])}
    refitted = cross_fitted_cosines(
        _objective(holdout),
        result.weights,
        limits if config.bounds else None,
        [[position[name] for name in fold] for fold in folds],
    )
    cost = ours.intervals.mean(ours.ensemble - refitted)
    return FittingCost(score=cost.score, ci95=cost.ci95, judged_on="other folds")


def _leave_one_out(
    run: RunContext, stacked: Mapping[str, Stacked], result: SearchResult
) -> dict[str, Contribution]:
    """What each member adds to the blend, judged on the holdout and reported on test."""
    used = [i for i, weight in enumerate(result.weights) if weight > 0]
    config = run.experiment.config.search
    names = [run.members[i] for i in used]
    members = WeightedMembers(
        names,
        [result.weights[i] for i in used],
        [config.weight_bounds(name) for name in names] if config.bounds else None,
    )
    holdout, test = (
        ScoredSplit(
            _objective(stacked[split]).subset(used), run.intervals(split), run.subsets(split)
        )
        for split in EVALUATED
    )
    return leave_one_out(members, holdout, test)


def _objective(stacked: Stacked) -> GramObjective:
    return GramObjective.from_predictions(stacked.members, stacked.targets)


def _ablations(
    run: RunContext, stacked: Mapping[str, Stacked], test: Evaluation
) -> dict[str, AblationScore]:
    """Other ways to blend, fitted on the holdout, and what they are ahead of ours on test."""
    groups = run.groups("holdout")
    return {
        name: test.ablation(ABLATIONS[name](stacked["holdout"], stacked["test"], groups))
        for name in run.experiment.config.search.ablations
    }


def _stacked(run: RunContext, predictions: Predictions, split: str) -> Stacked:
    ids = run.data.splits.ids[split]
    rows = [member.batches[split].embeddings for member in predictions.values()]
    return Stacked(stack(rows, ids), run.data.targets.select(ids).rows)
