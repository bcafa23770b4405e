"""The model of an experiment's ``search`` block."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from unprompt._config.base import Model
from unprompt._config.storage import absolute_storage
from unprompt._files.paths import working_folder
from unprompt.errors import DataError

Sampler = Literal["tpe", "gp", "cmaes", "random", "grid", "qmc"]
Enqueued = Literal["equal", "members", "ensemble"]
Ablation = Literal["per-dimension", "ridge-stack"]

MOST_TRIALS = 1_000_000
"""A million trials take hours and fill a gigabyte; what would be more is a slip of the keyboard."""
MOST_WORKERS = 256


def _absolute(storage: str, info: ValidationInfo) -> str:
    """The storage, its path made absolute from the folder of the YAML file."""
    folder = getattr(storage, "folder", (info.context or {}).get("folder"))
    try:
        return absolute_storage(storage, folder or working_folder())
    except DataError as error:
        raise PydanticCustomError("storage", "{why}", {"why": error.problems[0]}) from error


Storage = Annotated[str, Field(min_length=1), AfterValidator(_absolute)]


class SearchConfig(Model):
    """The Optuna search over blend weights."""

    trials: int = Field(
        default=200,
        ge=1,
        le=MOST_TRIALS,
        description="Finished trials at the end, those of earlier searches in the study included.",
    )
    timeout: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Seconds after which no trial starts."
    )
    sampler: Sampler = Field(
        default="tpe",
        description="Optuna's: tpe, gp (Gaussian process), cmaes, random, grid (as many steps of "
        "each weight as `trials` allow), qmc (Sobol).",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the sampler.")
    weights: Literal["free", "simplex"] = Field(
        default="free",
        description="free: each weight in its bounds; only ratios matter. simplex: shares that "
        "add up to 1, drawn uniformly; the study's parameters are exp(-weight) before scaling.",
    )
    bounds: dict[str, Annotated[list[float], Field(min_length=2, max_length=2)]] = Field(
        default={}, description="Member -> [lowest, highest] weight, within 0..1 (free only)."
    )
    enqueue: list[Enqueued] = Field(
        default=["equal", "members", "ensemble"],
        description="Trials to run first: equal weights, each member alone, and the ensemble's own "
        "weights.",
    )
    storage: Storage | None = Field(
        default=None,
        description="Where the study is stored: a path or journal://PATH (a journal file), "
        "sqlite:///FILE, postgresql://, mysql://, or grpc://HOST:PORT. Relative paths start at "
        "the folder of the YAML file, in --storage and --set at the working directory. Default: "
        "study.journal in the run's folder.",
    )
    study: str | None = Field(
        default=None, min_length=1, description="The study's name. Default: the experiment's."
    )
    workers: int = Field(
        default=1, ge=1, le=MOST_WORKERS, description="Processes that search in parallel."
    )
    space: dict[str, dict[str, Annotated[list[Any], Field(min_length=1)]]] = Field(
        default={},
        description="Member -> option, such as `neighbours` or `kernel.temperature` -> values to "
        "choose from. Only options that the family can change without running a tower again.",
    )
    folds: int = Field(
        default=0,
        ge=0,
        description="2 or more: weights are searched on predictions for train and holdout "
        "together, made by members that were fitted on the other folds; whole groups are dealt "
        "to folds. 0: on the holdout.",
    )
    drop_members: bool = Field(
        default=False, description="Drop members that show no clear gain on the holdout."
    )
    include_reading: bool = Field(
        default=False,
        description="Let members that read prompts from files (instead of predicting them) take "
        "part like any other; scores then say what the blend reaches where a prompt was read and "
        "where it was predicted. By default their weight is 0, and only what they read is "
        "reported.",
    )
    ablations: list[Ablation] = Field(
        default=[],
        description="Other ways to blend, fitted on the holdout, to report beside this one.",
    )

    @model_validator(mode="after")
    def _check(self) -> SearchConfig:
        if self.bounds and self.weights == "simplex":
            raise PydanticCustomError("search", "`bounds` belong to `weights: free`")
        for name, (low, high) in self.bounds.items():
            if not 0 <= low <= high <= 1 or high == 0:
                what = f"`bounds` of {name!r} should be [low, high] within 0..1, high above 0"
                raise PydanticCustomError("search", "{what}", {"what": what})
        if self.folds == 1:
            raise PydanticCustomError("search", "`folds` should be 0, or 2 and more")
        return self

    def weight_bounds(self, member: str) -> tuple[float, float]:
        """Lowest and highest weight of a member; 0 and 1 where `bounds` does not name it."""
        low, high = self.bounds.get(member, (0.0, 1.0))
        return float(low), float(high)
