"""Every cosine of a split or of a subset of it, and the scores that are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from unprompt._data.origin import Origin, origins
from unprompt._runs.coverage import Origins, Part
from unprompt._runs.scores import AblationScore, MemberScore, Paired, QueryScore, SplitScores
from unprompt._scoring.estimate import Estimate
from unprompt._scoring.intervals import Intervals
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
        oracle_error: Half of the 95 % interval that the oracle's score has because its wordings
            are a sample; None where that is not known, as of a subset.
        query: Those of the query itself, with the members that it is from; None where no
            backbone embeds images in the target space.
        answered: Member -> the images that it has an answer for, of shape (N,); who is not in it
            answered for all.
        blend_answered: The same of ``equal``, ``searched``, ``ensemble`` and ``query``.
        read: Images whose prompt is read from the file by a member of the blend; None where no
            such member takes part.
        reading: The cosines of members that read and take no part, and where they read a prompt.
        subsets: Name -> the images of a subset, of shape (N,), one or more.
    """

    intervals: Intervals
    members: Mapping[str, DoubleArray]
    equal: DoubleArray
    searched: DoubleArray
    ensemble: DoubleArray
    floor: DoubleArray
    oracle: DoubleArray | None
    oracle_error: float | None = None
    query: tuple[DoubleArray, tuple[str, ...]] | None = None
    answered: Mapping[str, BoolArray] = field(default_factory=dict)
    blend_answered: Mapping[str, BoolArray] = field(default_factory=dict)
    read: BoolArray | None = None
    reading: Mapping[str, tuple[DoubleArray, BoolArray]] = field(default_factory=dict)
    subsets: Mapping[str, BoolArray] = field(default_factory=dict)

    def where(self, inside: BoolArray) -> Evaluation:
        """The same of some of the images only, which are ``inside`` (N,), one or more.

        The oracle's length, see `estimate_oracle`, stays the one pooled over all images: a subset
        may be too small for an estimate of its own.
        """
        return Evaluation(
            intervals=self.intervals.where(inside),
            members={name: values[inside] for name, values in self.members.items()},
            equal=self.equal[inside],
            searched=self.searched[inside],
            ensemble=self.ensemble[inside],
            floor=self.floor[inside],
            oracle=None if self.oracle is None else self.oracle[inside],
            query=None if self.query is None else (self.query[0][inside], self.query[1]),
            answered={name: values[inside] for name, values in self.answered.items()},
            blend_answered={name: values[inside] for name, values in self.blend_answered.items()},
            read=None if self.read is None else self.read[inside],
            reading={
                name: (both[0][inside], both[1][inside]) for name, both in self.reading.items()
            },
        )

    def scores(self) -> SplitScores:
        """What ``scores.json`` holds of these images, and of each of their subsets."""
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
            oracle_error=self.oracle_error,
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
            subsets={name: self.where(inside).scores() for name, inside in self.subsets.items()},
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
        return AblationScore(
            score=mean.score,
            ci95=mean.ci95,
            versus=self.intervals.mean(values - self.ensemble),
            subsets={
                name: self.where(inside).ablation(values[inside])
                for name, inside in self.subsets.items()
            },
        )

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
        intervals, images = self.intervals.where(inside), int(inside.sum())
        return Part(
            images=images,
            share=images / len(values),
            groups=intervals.group_count,
            score=intervals.mean_cosine(values[inside]) if images else None,
        )

    def _origins(self) -> Origins | None:
        if self.read is None:
            return None
        origin = np.array(self.origin)
        where = {name: origin == name for name in ("read", "predicted")}
        return Origins(
            **{name: self._part(self.ensemble, inside) for name, inside in where.items()}
        )
