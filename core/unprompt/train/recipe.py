"""What a training recipe's YAML may say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from unprompt._config.base import Model, Name
from unprompt._config.check import finish, validate
from unprompt._config.compose import compose
from unprompt._config.location import Location
from unprompt._config.models import PartConfig, RuntimeConfig
from unprompt._registry.loading import TEXT_ENCODER, Part, part_at
from unprompt._registry.plugins import Registry
from unprompt.contracts.specs import DatasetSpec, TextEncoderSpec
from unprompt.types import Json


class RecipeConfig(Model):
    """One training run."""

    name: Name = Field(description="Shown in the model card.")
    objective: Literal["contrastive", "regression", "captioning"] = Field(
        description="contrastive: an open_clip image and text tower, CLIP's loss. "
        "regression: an image tower, of timm or transformers' CLIP, with a linear head to the "
        "target space, 1 - cosine; only the tower is kept. "
        "captioning: a transformers BLIP that writes the prompt, cross-entropy, its image side "
        "taught as in a regression."
    )
    tower: Location = Field(
        description="A folder with the tower's configuration (open_clip_config.json or "
        "config.json); weights, tokenizer and card are written there."
    )
    data: PartConfig = Field(description="Pictures and prompts; all of them are used.")
    text_encoder: PartConfig = Field(
        default=PartConfig(plugin="minilm"), description="The target space."
    )
    start: Location | None = Field(
        default=None,
        description="A folder with weights of the same architecture to start from; default: "
        "random weights. Its tokenizer is kept; the data may be other.",
    )
    semantics: float = Field(
        default=0.0,
        ge=0,
        description="Weight of drawing both towers to the prompt's row in the target space; "
        "embed_dim is then that space's (contrastive only).",
    )
    vocabulary: int = Field(
        default=2048, ge=512, description="Tokens of the tokenizer (not for regression)."
    )
    words: float = Field(
        default=0.0, ge=0, description="Weight of naming the prompt's words from the picture."
    )
    wordings: int = Field(
        default=1,
        ge=1,
        description="Prompts per picture behind `words`: its own and, where the dataset knows "
        "them, others that could have made it.",
    )
    contrast: float = Field(
        default=0.0, ge=0, description="Weight of the batch cross-entropy (not for contrastive)."
    )
    teacher: Location | None = Field(
        default=None,
        description="A folder with a trained CLIP; a vision transformer's patches learn its "
        "feature map (not for contrastive).",
    )
    distill: float = Field(
        default=0.0,
        ge=0,
        description="Weight of 1 - cosine with the teacher's image embedding, which has to be as "
        "wide as the target space (not for contrastive).",
    )
    epochs: int = Field(default=10, ge=1, description="Passes over the pictures.")
    batch_size: int = Field(default=256, ge=2, description="Pictures per step.")
    learning_rate: float = Field(default=1e-3, gt=0, description="Peak, after the warm-up.")
    weight_decay: float = Field(default=0.05, ge=0, description="AdamW's, on matrices only.")
    warmup: float = Field(default=0.05, ge=0, lt=1, description="Share of all steps.")
    ema: float = Field(
        default=0.999, ge=0, lt=1, description="Decay of the weights' moving average; 0: off."
    )
    shift: int = Field(
        default=4, ge=0, description="Random shift of each batch, in pixels each way."
    )
    validation: int = Field(
        default=1000, ge=2, description="The last pictures, held out for the card's score."
    )
    seed: int = Field(default=0, ge=0, description="Of weights, order and shifts.")
    runtime: RuntimeConfig = Field(default=RuntimeConfig(), description="Device and precision.")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe with its plugins resolved.

    Attributes:
        path: The YAML file, as it was named.
        config: What it says.
        dataset: The dataset's plugin and options.
        text_encoder: The text encoder's.
    """

    path: Path
    config: RecipeConfig
    dataset: Part
    text_encoder: Part

    def plain(self) -> dict[str, Json]:
        """As YAML would write it, every default spelled out."""
        parts = {"data": self.dataset.plain(), "text_encoder": self.text_encoder.plain()}
        return self.config.model_dump(mode="json") | parts


def load_recipe(path: Path, registry: Registry, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read and check a recipe.

    Raises:
        ConfigError: With one line for each mistake.
    """
    source = compose(path, overrides)
    config = validate(source, RecipeConfig)
    dataset = part_at(source, ("data",), registry, DatasetSpec)
    encoder = part_at(source, ("text_encoder",), registry, TextEncoderSpec, default=TEXT_ENCODER)
    finish(source)
    assert config and dataset and encoder  # finish() raised otherwise
    return Recipe(path, config, dataset, encoder)
