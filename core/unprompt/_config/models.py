"""The models of ensembles and experiments in YAML; field descriptions are the reference."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from unprompt._config.base import NAME_PATTERN, Model, Name
from unprompt._config.location import Location
from unprompt._config.reference import plugin_name
from unprompt._config.search import SearchConfig

RESERVED = {
    *("ensemble", "image_id", "prompt", "predicted", "origin"),
    *("readback", "composed", "cosine", "group", "subset"),
}
"""Names that files and columns use themselves, so that no member can have them."""


class PartConfig(Model):
    """A plugin and its options."""

    plugin: str = Field(
        description="The plugin's name, as `unprompt plugins` lists it; `distribution:name` where "
        "several packages have it."
    )
    options: dict[str, Any] = Field(
        default={}, description="The plugin's own options; see its options model."
    )


class MemberConfig(PartConfig):
    """One line of an ensemble."""

    name: Name | None = Field(
        default=None, description="The member's name, distinct in the ensemble. Default: plugin."
    )
    weight: float = Field(
        default=1.0, ge=0, allow_inf_nan=False, description="Weight in the blend; ratios matter."
    )
    artifact: Location | None = Field(
        default=None,
        description="The folder of what the member has learned; set in ensembles that runs write.",
    )

    @property
    def label(self) -> str:
        """The member's name: its own, or its plugin's, without the distribution."""
        return self.name or plugin_name(self.plugin)


class EnsembleConfig(Model):
    """Ordered members, and the text encoder whose space they predict in."""

    name: Name = Field(default="ensemble", description="Shown in tables and files.")
    text_encoder: PartConfig = Field(
        default=PartConfig(plugin="minilm"),
        description="Defines the space that members predict in.",
    )
    members: Annotated[list[MemberConfig], Field(min_length=1)] = Field(
        description="At least one; predictions are blended by weight."
    )

    @model_validator(mode="after")
    def _check_members(self) -> EnsembleConfig:
        names = [member.label for member in self.members]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            what = f"two members are named {repeated[0]!r}: give one of them another `name`"
            raise PydanticCustomError("members", "{what}", {"what": what})
        if unfit := [name for name in names if not re.match(NAME_PATTERN, name)]:
            what = f"a member cannot be named {unfit[0]!r}, as its plugin: give it a `name`"
            raise PydanticCustomError("members", "{what}", {"what": what})
        for name in sorted(RESERVED & set(names)):
            what = f"a member cannot be named {name!r}: tables use that name themselves"
            raise PydanticCustomError("members", "{what}", {"what": what})
        if not any(member.weight > 0 for member in self.members):
            raise PydanticCustomError("members", "every weight is 0: nothing is left to blend")
        return self


class SplitConfig(Model):
    """How images are divided: train fits members, holdout fits weights, test gives scores."""

    train: float = Field(default=0.8, gt=0, lt=1, description="Share of the images.")
    holdout: float = Field(default=0.1, gt=0, lt=1, description="Share of the images.")
    test: float = Field(default=0.1, gt=0, lt=1, description="Share of the images.")
    group_cosine: float = Field(
        default=0.7,
        gt=0,
        le=1,
        description="Prompts whose cosine is at least this, directly or through others, form a "
        "group; a group is never split.",
    )
    seed: int = Field(
        default=0, ge=0, description="Random seed of the assignment of groups to splits."
    )

    @model_validator(mode="after")
    def _check_sum(self) -> SplitConfig:
        total = self.train + self.holdout + self.test
        if abs(total - 1) > 1e-6:
            what = f"train, holdout and test should add up to 1, got {total:g}"
            raise PydanticCustomError("split", "{what}", {"what": what})
        return self


class DataConfig(PartConfig):
    """The images and prompts of an experiment."""

    split: SplitConfig = Field(default=SplitConfig(), description="Train, holdout and test.")


class ScoreConfig(Model):
    """How results are scored."""

    bootstrap: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Without effect: intervals are computed without resamples. It may be written, "
        "so that older files still run.",
    )
    wordings: int = Field(
        default=24,
        ge=2,
        le=1000,
        description="Prompts per test image for the oracle, where the dataset knows them; holdout "
        "images have a quarter of them, at least 2. The estimate is unbiased for any number; more "
        "make it less noisy, and the scores say how noisy it is: 24 leave less than +/- 0.002 "
        "(95 %) on 840 painted images.",
    )
    seed: int | None = Field(default=None, ge=0, description="Without effect, as `bootstrap`.")


class RuntimeConfig(Model):
    """How to compute; only `precision` may change a result."""

    device: str = Field(default="cpu", description="A torch device, such as cpu or cuda:0.")
    precision: Literal["float32", "bfloat16", "auto"] = Field(
        default="float32",
        description="Arithmetic of the towers. auto: bfloat16 where the processor computes in it, "
        "else float32.",
    )
    batch_size: int = Field(default=64, ge=1, description="Images or texts per forward pass.")
    workers: int = Field(default=2, ge=1, description="Threads that open images.")


def _named(value: Any) -> Any:  # whatever YAML has there
    """A plugin's name alone is the plugin without options."""
    if isinstance(value, str):
        return {"plugin": value}
    if isinstance(value, dict | PartConfig):
        return value
    what = f"should be a plugin's name, or a map with `plugin` and `options`, got {value!r:.60}"
    raise PydanticCustomError("observer", "{what}", {"what": what})


ObserverConfig = Annotated[
    PartConfig, BeforeValidator(_named, json_schema_input_type=str | PartConfig)
]


class ExperimentConfig(Model):
    """Data, an ensemble, a search and scoring: the configuration of one run."""

    name: Name = Field(description="Names the folder below the runs folder.")
    data: DataConfig = Field(description="Where images and prompts come from.")
    ensemble: EnsembleConfig = Field(
        description="The members; usually `include: ../ensembles/some.yaml`."
    )
    search: SearchConfig = Field(default=SearchConfig(), description="The blend search.")
    score: ScoreConfig = Field(default=ScoreConfig(), description="Intervals and the oracle.")
    runtime: RuntimeConfig = Field(default=RuntimeConfig(), description="Device and batch size.")
    edit_prompts: bool = Field(
        default=True,
        description="Edit the prompts that are shown until they read like the predicted "
        "embeddings; scores of embeddings do not depend on it.",
    )
    observers: list[ObserverConfig] = Field(
        default=[],
        description="Plugins that follow the run: each its name, or `{plugin: NAME, options: "
        "{...}}`.",
    )
