"""``scores.json``: every score of a run, between floor and oracle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from unprompt._runs.texts import TextScores
from unprompt._scoring.estimate import Estimate, Result
from unprompt._search.drop import Contribution
from unprompt._search.summary import SearchSummary

EVALUATED = ("holdout", "test")
"""The splits that are predicted and scored."""
ENSEMBLE = "ensemble"
"""The blend's name beside its members' in files; members may not be called so."""


class MemberScore(Estimate):
    """A predictor's score on a split.

    Attributes:
        gap_closed: Its share of the gap between floor and oracle; None without an oracle.
    """

    gap_closed: Estimate | None = None


class Paired(Result):
    """The blend minus another prediction of the same images."""

    ensemble_minus_best_member: Estimate
    ensemble_minus_equal: Estimate
    ensemble_minus_best_trial: Estimate
    ensemble_minus_floor: Estimate


class SplitSize(Result):
    """How large a split is.

    Attributes:
        images: How many there are.
        groups: Groups of near-duplicate prompts among them.
    """

    images: int
    groups: int


class SplitScores(SplitSize):
    """Every score of one split.

    Attributes:
        members: Each member alone, in the order of the ensemble.
        equal: The blend with equal weights.
        searched: The blend with the best trial's weights.
        ensemble: The blend with its final, polished weights.
        floor: What needs no image: the mean train embedding's score.
        floor_ci95: Its interval.
        oracle: The best that an image allows; None where the dataset does not know it.
        oracle_ci95: Its interval.
        gap_closed: The blend's share of the gap between the two.
        gap_closed_ci95: Its interval.
        best_member: The member with the highest score on this split.
        paired: The blend against others, image by image.
    """

    members: Mapping[str, MemberScore]
    equal: MemberScore
    searched: MemberScore
    ensemble: MemberScore
    floor: float
    floor_ci95: tuple[float, float]
    oracle: float | None = None
    oracle_ci95: tuple[float, float] | None = None
    gap_closed: float | None = None
    gap_closed_ci95: tuple[float, float] | None = None
    best_member: str
    paired: Paired

    def limit(self, name: Literal["floor", "oracle"]) -> Estimate | None:
        """Floor or oracle as an estimate; None for an oracle that nobody knows."""
        if name == "floor":
            return Estimate(score=self.floor, ci95=self.floor_ci95)
        if self.oracle is None or self.oracle_ci95 is None:
            return None
        return Estimate(score=self.oracle, ci95=self.oracle_ci95)


class Leak(Result):
    """The highest cosine between a train prompt and one of another split.

    Attributes:
        train_holdout_max_cosine: None with folds, where train and holdout are one.
        train_test_max_cosine: To the test split.
    """

    train_holdout_max_cosine: float | None = None
    train_test_max_cosine: float


class Optimism(Result):
    """The blend's score on the holdout, where its weights were chosen, minus that on test."""

    score: float


class AblationScore(Estimate):
    """Another way to blend, on test.

    Attributes:
        versus: Its score minus that of the blend.
    """

    versus: Estimate


class History(Result):
    """The value of each finished trial, and the best so far."""

    values: Annotated[tuple[float, ...], Field(min_length=1)]
    best: tuple[float, ...]


class Scores(Result):
    """The content of ``scores.json``.

    Attributes:
        experiment: The experiment's name.
        weights: Of the blend, in the order of the ensemble; 0 for a member that was dropped.
        searched_weights: The best trial's.
        options: Member -> the options that the search chose, for members whose options it searched.
        search: What the study came to.
        train: The size of the train split.
        leak: How near prompts of other splits come to the train prompts.
        holdout: Scores where weights were chosen.
        test: Scores where nothing was chosen.
        optimism: Holdout minus test.
        leave_one_out: Member -> what it contributes to the blend.
        ablations: Other ways to blend.
        history: The study, trial by trial.
        importances: How much each parameter tells good trials from others.
        texts: Scores of the prompts that are shown for test images; None where there are none.
    """

    experiment: str
    weights: Mapping[str, float]
    searched_weights: Mapping[str, float]
    options: Mapping[str, Mapping[str, Any]]
    search: SearchSummary
    train: SplitSize
    leak: Leak
    holdout: SplitScores
    test: SplitScores
    optimism: Optimism
    leave_one_out: Mapping[str, Contribution]
    ablations: Mapping[str, AblationScore]
    history: History
    importances: Mapping[str, float]
    texts: TextScores | None = None

    @model_validator(mode="after")
    def _check_members(self) -> Scores:
        """Every reader looks members up by name."""
        for name in EVALUATED:
            split = self.split(name)
            if split.members.keys() != self.weights.keys() or split.best_member not in self.weights:
                what = f"other members in `{name}` than in `weights`"
                raise PydanticCustomError("members", "{what}", {"what": what})
        if not any(self.weights.values()):
            raise PydanticCustomError("weights", "every weight is 0")
        return self

    def split(self, name: str) -> SplitScores:
        """The scores of ``holdout`` or ``test``."""
        return self.holdout if name == "holdout" else self.test

    @property
    def members(self) -> tuple[str, ...]:
        """The members' names, in the order of the ensemble."""
        return tuple(self.weights)
