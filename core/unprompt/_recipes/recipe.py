"""What a training recipe's YAML may say: a model of its options for each objective."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from unprompt._config.base import Model, Name
from unprompt._config.check import finish, validate
from unprompt._config.compose import compose
from unprompt._config.location import Location
from unprompt._config.models import PartConfig, RuntimeConfig
from unprompt._config.source import Source
from unprompt._registry.loading import TEXT_ENCODER, part_at
from unprompt._registry.parts import Part
from unprompt._registry.plugins import Registry
from unprompt.contracts.specs import DatasetSpec, TextEncoderSpec
from unprompt.train.options import CHOOSE, FitOptions
from unprompt.types import Json


class RecipeConfig(Model):
    """One training run: what every objective reads."""

    name: Name = Field(description="Shown in the model card.")
    objective: Literal["text", "contrastive", "regression", "captioning"] = Field(
        description="text: an open_clip text tower, distilled from the target space's encoder; no "
        "image is opened. contrastive: an open_clip image and text tower, CLIP's loss. "
        "regression: an image tower, of timm or transformers' CLIP, with a linear head to the "
        "target space, 1 - cosine; only the tower is kept. "
        "captioning: a transformers BLIP that writes the prompt, cross-entropy, with the losses "
        "of a regression on its image tower."
    )
    tower: Location = Field(
        description="A folder with the tower's configuration (open_clip_config.json or "
        "config.json); checkpoint, tokenizer and card are written there."
    )
    data: PartConfig = Field(description="Images and prompts; all of them are used.")
    text_encoder: PartConfig = Field(
        default=PartConfig(plugin="minilm"),
        description="The target space; not of a contrastive recipe.",
    )
    start: Location | None = Field(
        default=None,
        description="A folder with a checkpoint of the same architecture to start from; default: "
        "random parameters. Its tokenizer is kept; the data may be other.",
    )
    words: float = Field(
        default=0.0,
        ge=0,
        description="Factor of the cross-entropy with the prompt's words, predicted from the "
        "image.",
    )
    wordings: int = Field(
        default=1,
        ge=1,
        description="Prompts per image behind `words`: its own and, where the dataset knows "
        "them, others that could have made it.",
    )
    training: FitOptions = Field(default=FitOptions(), description="How it is fitted.")
    validation: int = Field(
        default=1000, ge=2, description=f"Images that are not fitted to: they {CHOOSE}."
    )
    test: int = Field(
        default=1000, ge=2, description="The last images, held out for the card's scores."
    )
    runtime: RuntimeConfig = Field(default=RuntimeConfig(), description="Device and precision.")


class TokenizerConfig(RecipeConfig):
    """An objective with a text side."""

    vocabulary: int | None = Field(
        default=None,
        ge=512,
        description="Tokens of the tokenizer that is learned from the prompts; default: 2048. "
        "Not with `start`, whose tokenizer is kept.",
    )


_ALIKE = (
    "Scale of the contrast's soft labels: a text counts as an image's by its cosine with the "
    "image's own text, times this, in a softmax. Images are compared with texts at the same scale."
)


class ContrastConfig(RecipeConfig):
    """An objective with a contrast between images and texts."""

    candidates: int = Field(
        default=0,
        ge=0,
        description="Texts of other images beside the batch's own, drawn at random for each batch, "
        "that the contrast compares with, too. They have to cost no more than a product: their "
        "rows are the target space's, or a text tower's with `freeze_text`.",
    )


class EmbeddingConfig(ContrastConfig):
    """An objective whose image tower predicts the embedding of the prompt."""

    contrast: float = Field(
        default=0.0,
        ge=0,
        description="Factor of a cross-entropy that asks which texts are the image's, by soft "
        "labels. The cosine alone stays long at the mean target; this term pulls it away.",
    )
    alike: float = Field(default=7.0, gt=0, description=_ALIKE)
    teacher: Location | None = Field(
        default=None,
        description="A folder with a trained CLIP; a vision transformer's patches learn its "
        "feature map.",
    )
    distill: float = Field(
        default=0.0,
        ge=0,
        description="Factor of 1 - cosine between the teacher's image embedding and what a linear "
        "head makes of the tower's features.",
    )


class TextConfig(TokenizerConfig):
    """``objective: text``."""

    objective: Literal["text"]
    relations: float = Field(
        default=1.0,
        ge=0,
        description="Factor of the squared difference between cosines of two texts in the tower's "
        "space and in the target space.",
    )


class ContrastiveConfig(TokenizerConfig, ContrastConfig):
    """``objective: contrastive``."""

    objective: Literal["contrastive"]
    alike: float = Field(
        default=0.0,
        ge=0,
        description=f"{_ALIKE} 0: only its own counts, and the scale is learned.",
    )
    freeze_text: bool = Field(default=False, description="Leave the text tower as `start` has it.")


class RegressionConfig(EmbeddingConfig):
    """``objective: regression``."""

    objective: Literal["regression"]


class CaptioningConfig(EmbeddingConfig, TokenizerConfig):
    """``objective: captioning``."""

    objective: Literal["captioning"]


OBJECTIVES: dict[str, type[RecipeConfig]] = {
    "text": TextConfig,
    "contrastive": ContrastiveConfig,
    "regression": RegressionConfig,
    "captioning": CaptioningConfig,
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe with its plugins resolved.

    Attributes:
        path: The YAML file, as it was named.
        config: What it says, a model of `OBJECTIVES`.
        dataset: The dataset's plugin and options.
        text_encoder: The text encoder's; None where nothing is trained towards its space.
    """

    path: Path
    config: RecipeConfig
    dataset: Part
    text_encoder: Part | None

    def plain(self) -> dict[str, Json]:
        """As YAML would write it, every default spelled out."""
        plain = self.config.model_dump(mode="json") | {"data": self.dataset.plain()}
        if self.text_encoder is None:
            del plain["text_encoder"]
            return plain
        return plain | {"text_encoder": self.text_encoder.plain()}


def load_recipe(path: Path, registry: Registry, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read and check a recipe.

    Raises:
        ConfigError: With one line for each mistake.
    """
    source = compose(path, overrides)
    if source.data is None or source.incomplete:
        finish(source)  # could not be read: every key would count as missing
    config = _validated(source)
    dataset = part_at(source, ("data",), registry, DatasetSpec)
    encoder = part_at(source, ("text_encoder",), registry, TextEncoderSpec, default=TEXT_ENCODER)
    for option, why in _idle(config) if config else ():
        source.problem((option,), why)
    finish(source)
    assert config and dataset and encoder  # finish() raised otherwise
    return Recipe(path, config, dataset, encoder if _has_target_space(config) else None)


def _validated(source: Source) -> RecipeConfig | None:
    """The model of the recipe's objective, noting options that belong to another objective.

    A pydantic union would choose the same, but put its tag into the path of each mistake.
    """
    data = source.data
    if not isinstance(data, dict):
        return validate(source, RecipeConfig)
    model = OBJECTIVES.get(str(data.get("objective")), RecipeConfig)
    own = dict(data)
    for option in data.keys() - model.model_fields.keys():
        owners = [name for name, other in OBJECTIVES.items() if option in other.model_fields]
        if owners:
            source.problem((option,), f"belongs to objective {' or '.join(owners)}")
            del own[option]
    return validate(source, model, data=own)


def _idle(config: RecipeConfig) -> Iterator[tuple[str, str]]:
    """Options that are given though nothing would read them, and why."""
    if config.wordings > 1 and not config.words:
        yield "wordings", "does nothing without `words`"
    if isinstance(config, EmbeddingConfig) and config.distill and not config.teacher:
        yield "distill", "does nothing without `teacher`"
    if isinstance(config, EmbeddingConfig) and not config.contrast:
        for option in ("alike", "candidates"):
            if getattr(config, option) != EmbeddingConfig.model_fields[option].default:
                yield option, "does nothing without `contrast`"
    if isinstance(config, TokenizerConfig) and config.start and config.vocabulary:
        yield "vocabulary", "does nothing with `start`, whose tokenizer is kept"
    if "text_encoder" in config.model_fields_set and not _has_target_space(config):
        yield "text_encoder", "does nothing: images and texts meet in a space of their own"
    if isinstance(config, ContrastiveConfig) and config.freeze_text and not config.start:
        yield "freeze_text", "needs `start`, a text tower that has learned something"
    if isinstance(config, ContrastiveConfig) and config.candidates and not config.freeze_text:
        yield "candidates", "does nothing without `freeze_text`"


def _has_target_space(config: RecipeConfig) -> bool:
    return not isinstance(config, ContrastiveConfig)
