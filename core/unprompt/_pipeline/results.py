"""Scores of a run: every member, the blends, the frame around them, and what may be concluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unprompt._config.models import ScoreConfig
from unprompt._scoring.intervals import Score, gap_closed, score
from unprompt.types import DoubleArray, Json


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Cosines of one split, all in the same order of pictures.

    Attributes:
        members: Each member's cosines, of shape (N,).
        equal: Those of the blend with equal weights.
        searched: Those of the blend with the best trial's weights.
        ensemble: Those of the blend with its final weights, polished.
        floor: Those of the mean train embedding.
        oracle: Those of the oracle; None where the dataset does not know it.
        groups: The group of each picture.
    """

    members: Mapping[str, DoubleArray]
    equal: DoubleArray
    searched: DoubleArray
    ensemble: DoubleArray
    floor: DoubleArray
    oracle: DoubleArray | None
    groups: Sequence[str]

    def plain(self, config: ScoreConfig) -> dict[str, Json]:
        """What ``scores.json`` holds of this split."""
        best = max(self.members, key=lambda name: float(self.members[name].mean()))
        versus = {
            "ensemble_minus_best_member": self.ensemble - self.members[best],
            "ensemble_minus_equal": self.ensemble - self.equal,
            "ensemble_minus_best_trial": self.ensemble - self.searched,
            "ensemble_minus_floor": self.ensemble - self.floor,
        }
        floor = self._score(self.floor, config)
        content: dict[str, Json] = {
            "images": len(self.ensemble),
            "groups": len(set(self.groups)),
            "members": {name: self._entry(one, config) for name, one in self.members.items()},
            "equal": self._entry(self.equal, config),
            "searched": self._entry(self.searched, config),
            "ensemble": self._entry(self.ensemble, config),
            "floor": floor.mean,
            "floor_ci95": [floor.low, floor.high],
            "oracle": None,
            "gap_closed": None,
            "best_member": best,
            "paired": {name: self._score(one, config).plain() for name, one in versus.items()},
        }
        if self.oracle is not None:
            oracle, gap = self._score(self.oracle, config), content["ensemble"]["gap_closed"]
            content |= {"oracle": oracle.mean, "oracle_ci95": [oracle.low, oracle.high]}
            content |= {"gap_closed": gap["score"], "gap_closed_ci95": gap["ci95"]}
        return content

    def against_ensemble(self, values: DoubleArray, config: ScoreConfig) -> dict[str, Json]:
        """Another blend's cosines (N,) of the same pictures: its score, and minus the ensemble."""
        versus = self._score(values - self.ensemble, config).plain()
        return self._score(values, config).plain() | {"versus": versus}

    def _entry(self, values: DoubleArray, config: ScoreConfig) -> dict[str, Json]:
        entry = self._score(values, config).plain()
        if self.oracle is not None:
            seeded = {"samples": config.bootstrap, "seed": config.seed}
            gap = gap_closed(values, self.floor, self.oracle, self.groups, **seeded)
            entry["gap_closed"] = gap.plain()
        return entry

    def _score(self, values: DoubleArray, config: ScoreConfig) -> Score:
        return score(values, self.groups, samples=config.bootstrap, seed=config.seed)
