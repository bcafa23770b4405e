"""The evaluation of a split: every member, the blends, and the floor and oracle around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from unprompt._data.origin import Origin, origins
from unprompt._pipeline.context import RunContext
from unprompt._pipeline.members import MemberPredictions
from unprompt._runs.coverage import Origins, Part
from unprompt._runs.scores import AblationScore, MemberScore, Paired, QueryScore, SplitScores
from unprompt._scoring.blend import blend
from unprompt._scoring.estimate import Estimate
from unprompt._scoring.floor_oracle import floor_cosines, oracle_cosines
from unprompt._scoring.intervals import Intervals
from unprompt._search.engine import SearchResult
from unprompt.embeddings import Embeddings, cosine
from unprompt.types import BoolArray, DoubleArray


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
        answered: Member -> the images that it has an answer for, of shape (N,); who is not in it
            answered for all.
        blend_answered: The same of ``equal``, ``searched``, ``ensemble`` and ``query``.
        read: Images whose prompt is read from the file by a member of the blend; None where no
            such member takes part.
        reading: The cosines of members that read and take no part, and where they read a prompt.
    """

    intervals: Intervals
    members: Mapping[str, DoubleArray]
    equal: DoubleArray
    searched: DoubleArray
    ensemble: DoubleArray
    floor: DoubleArray
    oracle: DoubleArray | None
    query: tuple[DoubleArray, tuple[str, ...]] | None = None
    answered: Mapping[str, BoolArray] = field(default_factory=dict)
    blend_answered: Mapping[str, BoolArray] = field(default_factory=dict)
    read: BoolArray | None = None
    reading: Mapping[str, tuple[DoubleArray, BoolArray]] = field(default_factory=dict)

    def scores(self) -> SplitScores:
        """What ``scores.json`` holds of this split."""
        best = max(self.members, key=lambda name: float(self.members[name].mean()))
        floor, ensemble = self.intervals.mean_cosine(self.floor), self._blend_score("ensemble")
        oracle = None if self.oracle is None else self.intervals.mean_cosine(self.oracle)
        gap = ensemble.gap_closed
        return SplitScores(
            images=len(self.ensemble),
            groups=self.intervals.group_count,
            members={
                name: self._member_score(values, self.answered.get(name))
                for name, values in self.members.items()
            },
            equal=self._blend_score("equal"),
            searched=self._blend_score("searched"),
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
            origins=self._origins(),
            reading={name: self._part(*both) for name, both in self.reading.items()},
        )

    @property
    def origin(self) -> tuple[Origin, ...]:
        """Where the blend's answer for each image comes from."""
        answered, read = self.blend_answered.get("ensemble"), self.read
        count = len(self.ensemble)
        return origins(
            np.ones(count, bool) if answered is None else answered,
            np.zeros(count, bool) if read is None else read,
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
        score = self._member_score(values, self.blend_answered.get("query"))
        return QueryScore(**score.model_dump(), members=members)

    def _blend_score(self, name: Literal["equal", "searched", "ensemble"]) -> MemberScore:
        return self._member_score(getattr(self, name), self.blend_answered.get(name))

    def _member_score(self, values: DoubleArray, answered: BoolArray | None) -> MemberScore:
        mean = self.intervals.mean_cosine(values)
        gap: Estimate | None = None
        if self.oracle is not None:
            gap = self.intervals.gap_closed(values, self.floor, self.oracle)
        part = None if answered is None or answered.all() else self._part(values, answered)
        return MemberScore(score=mean.score, ci95=mean.ci95, gap_closed=gap, answered=part)

    def _part(self, values: DoubleArray, inside: BoolArray) -> Part:
        """The score on some of the images, with an interval over their own groups."""
        groups = [self.intervals.groups[i] for i in np.flatnonzero(inside).tolist()]
        intervals = Intervals(groups)
        return Part(
            images=len(groups),
            share=len(groups) / len(values),
            groups=len(set(groups)),
            score=intervals.mean_cosine(values[inside]) if groups else None,
        )

    def _origins(self) -> Origins | None:
        if self.read is None:
            return None
        origin = np.array(self.origin)
        where = {name: origin == name for name in ("read", "predicted")}
        return Origins(
            **{name: self._part(self.ensemble, inside) for name, inside in where.items()}
        )


def evaluate(
    run: RunContext,
    predictions: Mapping[str, MemberPredictions],
    reading: Mapping[str, MemberPredictions],
    result: SearchResult,
    split: str,
) -> Evaluation:
    """Score every member and blend on ``holdout`` or ``test``.

    Args:
        run: The experiment and its data.
        predictions: Those of members that take part.
        reading: Those of members that read prompts from files and take no part.
        result: What the search came to.
        split: Which images.
    """
    data = run.data
    ids = data.splits.ids[split]
    targets = data.targets.select(ids)
    members, others = (
        {name: member.batches[split].embeddings.align(ids) for name, member in some.items()}
        for some in (predictions, reading)
    )
    blends = _blends([*members.values()], result)
    query = _query(run, predictions, ids) if split == "test" else None

    def cosines(embeddings: Embeddings) -> DoubleArray:
        return cosine(embeddings.rows, targets.rows)

    count = run.experiment.config.score.wordings
    if split == "holdout":
        count = max(2, count // 4)  # nothing is concluded from its oracle, and texts take time
    wordings = data.dataset.wordings(ids, count)
    return Evaluation(
        intervals=run.intervals(split),
        members={name: cosines(embeddings) for name, embeddings in members.items()},
        equal=cosines(blends["equal"]),
        searched=cosines(blends["searched"]),
        ensemble=cosines(blends["ensemble"]),
        floor=floor_cosines(data.targets.select(data.splits.ids["train"]), targets),
        oracle=oracle_cosines(wordings, targets, data.text_encoder) if wordings else None,
        query=(cosines(query[0]), query[1]) if query else None,
        answered={name: embeddings.answered for name, embeddings in members.items()},
        blend_answered={name: embeddings.answered for name, embeddings in blends.items()}
        | ({"query": query[0].answered} if query else {}),
        read=_read(run, members, result),
        reading={
            name: (cosines(embeddings), embeddings.answered) for name, embeddings in others.items()
        },
    )


def _blends(rows: Sequence[Embeddings], result: SearchResult) -> dict[str, Embeddings]:
    """The members blended by equal weights, the best trial's, and the final ones."""
    return {
        "equal": blend(rows, [1.0] * len(rows)),
        "searched": blend(rows, result.searched),
        "ensemble": blend(rows, result.weights),
    }


def _read(
    run: RunContext, members: Mapping[str, Embeddings], result: SearchResult
) -> BoolArray | None:
    """The images whose prompt a member of the blend read; None where none that reads takes part."""
    if not any(member.reads for member in run.experiment.members):
        return None
    pairs = zip(run.experiment.members, result.weights, strict=True)
    used = [member.name for member, weight in pairs if member.reads and weight > 0]
    images = len(next(iter(members.values())))
    read: BoolArray = np.any([np.zeros(images, bool), *(members[n].answered for n in used)], axis=0)
    return read


def _query(
    run: RunContext, predictions: Mapping[str, MemberPredictions], ids: Sequence[str]
) -> tuple[Embeddings, tuple[str, ...]] | None:
    """The mean of the backbones' own embeddings, each backbone once, and its members."""
    looking = [member.name for member in run.experiment.members if not member.reads]
    own = {name: rows for name in looking if (rows := predictions[name].own) is not None}
    if not own:
        return None
    distinct: list[Embeddings] = []
    for embeddings in own.values():
        aligned = embeddings.align(ids)
        if not any(np.allclose(aligned.rows, other.rows, atol=1e-4) for other in distinct):
            distinct.append(aligned)
    return blend(distinct, [1.0] * len(distinct)), tuple(own)
