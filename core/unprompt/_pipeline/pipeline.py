"""The pipeline: dataset -> targets -> splits -> members -> search -> scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from unprompt._members.ensemble import Blended, combine
from unprompt._pipeline.blend_search import check_search, search_blend, with_options
from unprompt._pipeline.context import RunContext
from unprompt._pipeline.evaluate import evaluate
from unprompt._pipeline.evaluation import Evaluation
from unprompt._pipeline.expected import Expectation, learn_expectation
from unprompt._pipeline.members import MemberPredictions, predict_members
from unprompt._pipeline.scores import run_scores
from unprompt._pipeline.texts import text_scores
from unprompt._runs import files
from unprompt._runs.scores import EVALUATED, Scores
from unprompt._search.engine import SearchResult

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a run came to, before it is written.

    Attributes:
        run: As it was run, with the options that the search chose; with folds, train and holdout
            pooled.
        predictions: Every member's that takes part, by name.
        reading: Those of members that read prompts from files and take no part.
        blended: ``holdout`` and ``test`` -> the blend's predictions.
        evaluations: Every cosine of ``holdout`` and ``test``.
        result: The searched weights.
        study: The study behind them.
        scores: The content of ``scores.json``.
        expectation: Which score to expect of a single image; None with too few to learn from.
    """

    run: RunContext
    predictions: dict[str, MemberPredictions]
    reading: dict[str, MemberPredictions]
    blended: Mapping[str, Blended]
    evaluations: Mapping[str, Evaluation]
    result: SearchResult
    study: optuna.Study
    scores: Scores
    expectation: Expectation | None


def execute(run: RunContext) -> Outcome:
    """Train and predict with every member, search the blend, and score it."""
    journal = run.view.folder / files.STUDY
    check_search(run, journal)
    everybody = predict_members(run, run.experiment.ensemble.members)
    predictions = {name: everybody[name] for name in run.members}
    reading = {member.name: everybody[member.name] for member in run.experiment.set_aside}
    if run.experiment.config.search.folds:
        run = replace(run, data=run.data.pooled())
    with run.timings.timed("search"):
        result, study = search_blend(run, predictions, journal)
    run, predictions = with_options(run, predictions, result)
    with run.timings.timed("scores"):
        evaluations = {
            split: evaluate(run, predictions, reading, result, split) for split in EVALUATED
        }
        scores = run_scores(run, predictions, result, evaluations)
    with run.timings.timed("prompts"):
        blended = {
            split: combine(
                [member.batches[split] for member in predictions.values()],
                result.weights,
                run.data.text_encoder,
                edit=run.experiment.config.edit_prompts,
                reads=[member.reads for member in run.experiment.members],
            )
            for split in EVALUATED
        }
        texts = text_scores(run, blended["test"])
    scores = scores.model_copy(update={"texts": texts})
    with run.timings.timed("expected scores"):
        expectation = learn_expectation(run, predictions, blended, evaluations, result.weights)
    return Outcome(
        run, predictions, reading, blended, evaluations, result, study, scores, expectation
    )
