"""``scores.json``: every score of a run, between floor and oracle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from unprompt._runs.coverage import Origins, Part
from unprompt._runs.leak import Leak
from unprompt._runs.texts import TextScores
from unprompt._scoring.estimate import Estimate, Result
from unprompt._search.drop import Contribution
from unprompt._search.summary import SearchSummary

EVALUATED = ("holdout", "test")
"""The splits that are predicted and scored."""
ENSEMBLE = "ensemble"
"""The blend's name beside its members' in files; members may not be called so."""


class MemberScore(Estimate):
    """A predictor's score on a split; an image that it does not answer for counts 0.

    Attributes:
        gap_closed: Its share of the gap between floor and oracle; None without an oracle, or where
            that is not above the floor.
        answered: The images that it answered for, with its score there; None: all images.
    """

    gap_closed: Estimate | None = None
    answered: Part | None = None


class QueryScore(MemberScore):
    """The query itself: the mean of the backbones' own embeddings, without bank, head or caption.

    Attributes:
        members: The members whose backbones embed images in the target space.
    """

    members: Annotated[tuple[str, ...], Field(min_length=1)]


class Paired(Result):
    """The blend minus another prediction of the same images."""

    ensemble_minus_best_member: Estimate
    ensemble_minus_equal: Estimate
    ensemble_minus_best_trial: Estimate
    ensemble_minus_floor: Estimate
    ensemble_minus_query: Estimate | None = None


class SplitSize(Result):
    """How large a split is.

    Attributes:
        images: How many there are.
        groups: Groups of near-duplicate prompts among them.
    """

    images: Annotated[int, Field(ge=1)]
    groups: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _check_groups(self) -> Self:
        if self.groups > self.images:
            raise PydanticCustomError("groups", "more groups than images")
        return self


class SplitScores(SplitSize):
    """Every score of one split, or of a subset of it.

    Attributes:
        members: Each member alone, in the order of the ensemble.
        equal: The blend with equal weights.
        searched: The blend with the best trial's weights.
        ensemble: The blend with its final, polished weights.
        query: The query itself; None on the holdout, and where no backbone embeds images in the
            target space.
        floor: What needs no image: the mean train embedding's score.
        floor_ci95: Its interval; None where there are too few groups for one.
        oracle: The best that an image allows; None where the dataset does not know it.
        oracle_ci95: Its interval.
        oracle_error: Half of the 95 % interval that the oracle has because its wordings are a
            sample; None where that is not known: of subsets, and with two wordings of each image.
        gap_closed: The blend's share of the gap between the two; None where there is none.
        gap_closed_ci95: Its interval.
        best_member: The member with the highest score on this split.
        paired: The blend against others, image by image.
        origins: The blend where prompts were read from files, and where they were predicted; None
            where no member that reads takes part.
        reading: Members that read prompts from files and take no part -> where they read one, and
            what those prompts score; they are in no other number.
        subsets: The same of each subset of these images that the dataset names, its own best
            member included.
    """

    members: Mapping[str, MemberScore]
    equal: MemberScore
    searched: MemberScore
    ensemble: MemberScore
    query: QueryScore | None = None
    floor: float
    floor_ci95: tuple[float, float] | None
    oracle: float | None = None
    oracle_ci95: tuple[float, float] | None = None
    oracle_error: Annotated[float, Field(ge=0)] | None = None
    gap_closed: float | None = None
    gap_closed_ci95: tuple[float, float] | None = None
    best_member: str
    paired: Paired
    origins: Origins | None = None
    reading: Mapping[str, Part] = {}
    subsets: Mapping[str, SplitScores] = {}

    @model_validator(mode="after")
    def _check_subsets(self) -> Self:
        """They are of these images and these members."""
        for name, subset in self.subsets.items():
            size = subset.images <= self.images and subset.groups <= self.groups
            members = subset.members.keys() == self.members.keys()
            if not (size and members and subset.best_member in self.members) or subset.subsets:
                what = f"the subset {name!r} is not one of these images and members"
                raise PydanticCustomError("subsets", "{what}", {"what": what})
        return self

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        """Every part is one of these images."""
        scores = [*self.members.values(), self.equal, self.searched, self.ensemble]
        parts = [*self.reading.values(), *(score.answered for score in scores)]
        if self.origins is not None:
            parts += [self.origins.read, self.origins.predicted]
        if not all(part is None or part.of(self.images) for part in parts):
            raise PydanticCustomError("parts", "a part is no part of the split's images")
        return self

    @property
    def abstains(self) -> bool:
        """Whether some member or blend has no answer for some image."""
        scores = [*self.members.values(), self.equal, self.searched, self.ensemble]
        return any(score.answered is not None for score in scores)

    def limit(self, name: Literal["floor", "oracle"]) -> Estimate | None:
        """Floor or oracle as an estimate; None for an oracle that nobody knows."""
        if name == "floor":
            return Estimate(score=self.floor, ci95=self.floor_ci95)
        if self.oracle is None:
            return None
        return Estimate(score=self.oracle, ci95=self.oracle_ci95)


class FittingCost(Estimate):
    """What choosing the weights cost: how much better they look where they were chosen.

    Attributes:
        judged_on: ``test``: the blend's lead over equal weights on the holdout minus that on test.
            ``other folds``: the blend's score on the out-of-fold predictions minus that of weights
            that were fitted without each image's fold.
    """

    judged_on: Literal["test", "other folds"]


class AblationScore(Estimate):
    """Another way to blend, on test.

    Attributes:
        versus: Its score minus that of the blend.
        subsets: The same on each subset of the test images.
    """

    versus: Estimate
    subsets: Mapping[str, AblationScore] = {}


class History(Result):
    """The value of each finished trial, and the best so far."""

    values: Annotated[tuple[float, ...], Field(min_length=1)]
    best: tuple[float, ...]


class Scores(Result):
    """The content of ``scores.json``.

    Attributes:
        experiment: The experiment's name.
        weights: Of the blend, in the order of the ensemble; 0 for a member that was dropped.
            Members that read prompts from files and take no part are not among them.
        searched_weights: The best trial's.
        options: Member -> the options that the search chose, for members whose options it searched.
        search: What the study came to.
        train: The size of the train split.
        leak: What the splits have in common.
        holdout: Scores where weights were chosen.
        test: Scores where nothing was chosen.
        fitting_cost: What choosing the weights cost; None where none were chosen.
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
    fitting_cost: FittingCost | None
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
        entries: list[Contribution | AblationScore] = [*self.leave_one_out.values()]
        entries += self.ablations.values()
        if any(entry.subsets.keys() != self.test.subsets.keys() for entry in entries):
            raise PydanticCustomError("subsets", "other subsets than in `test`")
        if not any(self.weights.values()):
            raise PydanticCustomError("weights", "every weight is 0")
        return self

    def split(self, name: str) -> SplitScores:
        """The scores of ``holdout`` or ``test``."""
        return self.holdout if name == "holdout" else self.test

    @property
    def sizes(self) -> dict[str, int]:
        """Images by split, each once: with folds, train and holdout are the same images."""
        if self.leak.folds:
            return {"train and holdout": self.train.images, "test": self.test.images}
        splits: dict[str, SplitSize] = {"train": self.train, "holdout": self.holdout}
        return {name: size.images for name, size in (splits | {"test": self.test}).items()}

    @property
    def members(self) -> tuple[str, ...]:
        """The members' names, in the order of the ensemble."""
        return tuple(self.weights)
