"""The evaluation of a split: every member, the blends, and the floor and oracle around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unprompt._pipeline.context import RunContext
from unprompt._pipeline.members import MemberPredictions
from unprompt._runs.scores import AblationScore, MemberScore, Paired, SplitScores
from unprompt._scoring.blend import blend
from unprompt._scoring.estimate import Estimate
from unprompt._scoring.floor_oracle import floor_cosines, oracle_cosines
from unprompt._scoring.intervals import Bootstrap
from unprompt._search.engine import SearchResult
from unprompt.embeddings import Embeddings, cosine
from unprompt.types import DoubleArray


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Cosines of one split, all in the same order of images.

    Attributes:
        bootstrap: How means get their intervals; knows the group of each image.
        members: Each member's cosines, of shape (N,).
        equal: Those of the blend with equal weights.
        searched: Those of the blend with the best trial's weights.
        ensemble: Those of the blend with its final weights, polished.
        floor: Those of the mean train embedding.
        oracle: Those of the oracle; None where the dataset does not know it.
    """

    bootstrap: Bootstrap
    members: Mapping[str, DoubleArray]
    equal: DoubleArray
    searched: DoubleArray
    ensemble: DoubleArray
    floor: DoubleArray
    oracle: DoubleArray | None

    def scores(self) -> SplitScores:
        """What ``scores.json`` holds of this split."""
        best = max(self.members, key=lambda name: float(self.members[name].mean()))
        floor, ensemble = self.bootstrap.mean(self.floor), self._member_score(self.ensemble)
        oracle = None if self.oracle is None else self.bootstrap.mean(self.oracle)
        gap = ensemble.gap_closed
        return SplitScores(
            images=len(self.ensemble),
            groups=len(set(self.bootstrap.groups)),
            members={name: self._member_score(values) for name, values in self.members.items()},
            equal=self._member_score(self.equal),
            searched=self._member_score(self.searched),
            ensemble=ensemble,
            floor=floor.score,
            floor_ci95=floor.ci95,
            oracle=oracle.score if oracle else None,
            oracle_ci95=oracle.ci95 if oracle else None,
            gap_closed=gap.score if gap else None,
            gap_closed_ci95=gap.ci95 if gap else None,
            best_member=best,
            paired=Paired(
                ensemble_minus_best_member=self.bootstrap.mean(self.ensemble - self.members[best]),
                ensemble_minus_equal=self.bootstrap.mean(self.ensemble - self.equal),
                ensemble_minus_best_trial=self.bootstrap.mean(self.ensemble - self.searched),
                ensemble_minus_floor=self.bootstrap.mean(self.ensemble - self.floor),
            ),
        )

    def ablation(self, values: DoubleArray) -> AblationScore:
        """Another blend's cosines (N,) of the same images: its score, and minus the ensemble."""
        mean = self.bootstrap.mean(values)
        versus = self.bootstrap.mean(values - self.ensemble)
        return AblationScore(score=mean.score, ci95=mean.ci95, versus=versus)

    def _member_score(self, values: DoubleArray) -> MemberScore:
        mean = self.bootstrap.mean(values)
        gap: Estimate | None = None
        if self.oracle is not None:
            gap = self.bootstrap.gap_closed(values, self.floor, self.oracle)
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

    wordings = data.dataset.wordings(ids, run.experiment.config.score.wordings)
    return Evaluation(
        bootstrap=run.bootstrap(split),
        members={name: cosines(embeddings) for name, embeddings in members.items()},
        equal=cosines(blend(rows, [1.0] * len(rows))),
        searched=cosines(blend(rows, result.searched)),
        ensemble=cosines(blend(rows, result.weights)),
        floor=floor_cosines(data.targets.select(data.splits.ids["train"]), targets),
        oracle=oracle_cosines(wordings, targets, data.text_encoder) if wordings else None,
    )
