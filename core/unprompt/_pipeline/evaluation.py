"""The evaluation of a split: every member, the blends, and the floor and oracle around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from unprompt._pipeline.context import RunContext
from unprompt._pipeline.members import MemberPredictions
from unprompt._runs.scores import AblationScore, MemberScore, Paired, QueryScore, SplitScores
from unprompt._scoring.blend import blend
from unprompt._scoring.estimate import Estimate
from unprompt._scoring.floor_oracle import floor_cosines, oracle_cosines
from unprompt._scoring.intervals import Intervals
from unprompt._search.engine import SearchResult
from unprompt.embeddings import Embeddings, cosine
from unprompt.types import DoubleArray


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Cosines of one split, all in the same order of images.

    Attributes:
        intervals: How means get their intervals; knows the group of each image.
        members: Each member's cosines, of shape (N,).
        equal: Those of the blend with equal weights.
        searched: Those of the blend with the best trial's weights.
        ensemble: Those of the blend with its final weights, polished.
        floor: Those of the mean train embedding.
        oracle: Those of the oracle; None where the dataset does not know it.
        query: Those of the query itself, with the members that it is from; None where no
            backbone embeds images in the target space.
    """

    intervals: Intervals
    members: Mapping[str, DoubleArray]
    equal: DoubleArray
    searched: DoubleArray
    ensemble: DoubleArray
    floor: DoubleArray
    oracle: DoubleArray | None
    query: tuple[DoubleArray, tuple[str, ...]] | None = None

    def scores(self) -> SplitScores:
        """What ``scores.json`` holds of this split."""
        best = max(self.members, key=lambda name: float(self.members[name].mean()))
        floor, ensemble = self.intervals.mean_cosine(self.floor), self._member_score(self.ensemble)
        oracle = None if self.oracle is None else self.intervals.mean_cosine(self.oracle)
        gap = ensemble.gap_closed
        return SplitScores(
            images=len(self.ensemble),
            groups=self.intervals.group_count,
            members={name: self._member_score(values) for name, values in self.members.items()},
            equal=self._member_score(self.equal),
            searched=self._member_score(self.searched),
            ensemble=ensemble,
            query=self._query_score(),
            floor=floor.score,
            floor_ci95=floor.ci95,
            oracle=oracle.score if oracle else None,
            oracle_ci95=oracle.ci95 if oracle else None,
            gap_closed=gap.score if gap else None,
            gap_closed_ci95=gap.ci95 if gap else None,
            best_member=best,
            paired=Paired(
                ensemble_minus_best_member=self.intervals.mean(self.ensemble - self.members[best]),
                ensemble_minus_equal=self.intervals.mean(self.ensemble - self.equal),
                ensemble_minus_best_trial=self.intervals.mean(self.ensemble - self.searched),
                ensemble_minus_floor=self.intervals.mean(self.ensemble - self.floor),
                ensemble_minus_query=self.intervals.mean(self.ensemble - self.query[0])
                if self.query
                else None,
            ),
        )

    def ablation(self, values: DoubleArray) -> AblationScore:
        """Another blend's cosines (N,) of the same images: its score, and minus the ensemble."""
        mean = self.intervals.mean_cosine(values)
        versus = self.intervals.mean(values - self.ensemble)
        return AblationScore(score=mean.score, ci95=mean.ci95, versus=versus)

    def _query_score(self) -> QueryScore | None:
        if self.query is None:
            return None
        values, members = self.query
        return QueryScore(**self._member_score(values).model_dump(), members=members)

    def _member_score(self, values: DoubleArray) -> MemberScore:
        mean = self.intervals.mean_cosine(values)
        gap: Estimate | None = None
        if self.oracle is not None:
            gap = self.intervals.gap_closed(values, self.floor, self.oracle)
        return MemberScore(score=mean.score, ci95=mean.ci95, gap_closed=gap)


def evaluate(
    run: RunContext, predictions: Mapping[str, MemberPredictions], result: SearchResult, split: str
) -> Evaluation:
    """Score every member and blend on ``holdout`` or ``test``."""
    data = run.data
    ids = data.splits.ids[split]
    targets = data.targets.select(ids)
    members = {name: member.batches[split].embeddings for name, member in predictions.items()}
    rows = list(members.values())

    def cosines(embeddings: Embeddings) -> DoubleArray:
        return cosine(embeddings.align(ids).rows, targets.rows)

    count = run.experiment.config.score.wordings
    if split == "holdout":
        count = max(2, count // 4)  # nothing is concluded from its oracle, and texts take time
    wordings = data.dataset.wordings(ids, count)
    return Evaluation(
        intervals=run.intervals(split),
        members={name: cosines(embeddings) for name, embeddings in members.items()},
        equal=cosines(blend(rows, [1.0] * len(rows))),
        searched=cosines(blend(rows, result.searched)),
        ensemble=cosines(blend(rows, result.weights)),
        floor=floor_cosines(data.targets.select(data.splits.ids["train"]), targets),
        oracle=oracle_cosines(wordings, targets, data.text_encoder) if wordings else None,
        query=_query(predictions, targets) if split == "test" else None,
    )


def _query(
    predictions: Mapping[str, MemberPredictions], targets: Embeddings
) -> tuple[DoubleArray, tuple[str, ...]] | None:
    """Cosines of the mean of the backbones' own embeddings, each backbone once, and its members."""
    own = {name: member.own for name, member in predictions.items() if member.own is not None}
    if not own:
        return None
    distinct: list[Embeddings] = []
    for embeddings in own.values():
        rows = embeddings.align(targets.ids).rows
        if not any(np.allclose(rows, other.rows, atol=1e-4) for other in distinct):
            distinct.append(Embeddings(targets.ids, rows))
    mean = blend(distinct, [1.0] * len(distinct))
    return cosine(mean.rows, targets.rows), tuple(own)
