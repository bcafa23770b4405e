"""What YAML may say of a fit: epochs, optimiser, schedule, averages and checkpoints."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from unprompt._config.base import Model
from unprompt._config.free import MARK, is_free
from unprompt.train.augment import Augmentations

CHOOSE = "choose the best step and `wise_ft`"
"""What images do that are not fitted to; in descriptions of how many there are."""
FREELY: dict[str, JsonValue] = {MARK: True}
"""Of options that change no result, or only by rounding."""


class FitOptions(Model):
    """How a model is fitted; each family and recipe adds what it fits and to what."""

    epochs: int = Field(default=10, ge=1, description="Passes over the images.")
    batch_size: int = Field(
        default=64, ge=2, description="Images per optimiser step, over all processes."
    )
    accumulate: int = Field(
        json_schema_extra=FREELY,
        default=1,
        ge=1,
        description="Parts that a batch is computed in, one after the other, where it does not fit "
        "into memory whole. A contrast is within each part.",
    )
    learning_rate: float = Field(
        default=1e-4, gt=0, allow_inf_nan=False, description="Peak, after the warm-up."
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="cosine",
        description="After the warm-up: down to a hundredth of the learning rate, or constant.",
    )
    warmup: float = Field(
        default=0.05, ge=0, lt=1, description="Share of all steps, from a hundredth of the rate up."
    )
    weight_decay: float = Field(
        default=0.05, ge=0, allow_inf_nan=False, description="AdamW's, on matrices only."
    )
    decay_to_start: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Weight decay towards the parameters that training starts from, beside "
        "`weight_decay`, which is towards 0: a step moves them by learning rate times this share.",
    )
    layer_decay: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Learning rate of a layer as a share of that of the layer above it; "
        "1: the same.",
    )
    freeze: int | None = Field(
        default=None,
        ge=0,
        description="Layers that are not trained: 0 are the embeddings, n the first n blocks, too. "
        "Default: none.",
    )
    clip: float | None = Field(
        default=1.0, gt=0, description="Most length of a step's gradient; null: any."
    )
    ema: float = Field(
        default=0.999, ge=0, lt=1, description="Decay of the parameters' moving average; 0: off."
    )
    keep: Literal["best", "last"] = Field(
        default="best",
        description="Which parameters are the result: those of the best validation, or the last.",
    )
    validations: int = Field(default=1, ge=1, description="Validations per epoch.")
    wise_ft: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        default=(),
        strict=False,
        description="Shares of the fine-tuned parameters, the rest being those that training "
        "started from, to try afterwards; the best on the validation images is taken, of 1 too; "
        "without such images, one share is. WiSE-FT, Wortsman et al. 2022, arXiv 2109.01903.",
    )
    float32_epochs: int = Field(
        default=0,
        ge=0,
        description="Last epochs in float32, whatever `precision` is.",
    )
    augment: Augmentations = ()
    one_per_prompt: bool = Field(
        default=False,
        description="One image of each prompt per epoch, another one in each, where a prompt has "
        "several.",
    )
    shuffle: int | None = Field(
        default=None,
        ge=1,
        description="Images of a shuffle buffer, so that shards are read mostly one after the "
        "other; null: any image may follow any other.",
    )
    keep_images: bool = Field(
        json_schema_extra=FREELY,
        default=False,
        description="Decode all images once, ahead, and keep them in memory: 3 bytes a pixel.",
    )
    workers: int | None = Field(
        json_schema_extra=FREELY,
        default=None,
        ge=0,
        description="Processes that open images, for each of `processes`; 0: this one does, in "
        "`runtime.workers` threads. Default: 0 on the CPU; on a GPU, one for each core, 8 at most, "
        "where 5,000 images or more are to be opened (anew in each epoch, but with `keep_images` "
        "once) and processes can be started (room in /dev/shm, a script with a `__main__` guard).",
    )
    most_broken: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Share of images that may be unreadable; more of them end the training.",
    )
    compile: bool = Field(default=False, description="torch.compile.")
    gradient_checkpointing: bool = Field(
        default=False, description="Compute activations twice instead of keeping them."
    )
    processes: int = Field(
        json_schema_extra=FREELY,
        default=1,
        ge=1,
        description="Processes, one per device: GPUs, or gloo on the CPU. Each computes its part "
        "of every batch; a contrast and batch normalisation are within each part.",
    )
    checkpoint_minutes: float = Field(
        json_schema_extra=FREELY,
        default=1.0,
        gt=0,
        description="Between checkpoints; each epoch ends with one, too.",
    )
    seed: int = Field(default=0, ge=0, description="Of parameters, order and augmentations.")

    @model_validator(mode="after")
    def _check_processes(self) -> Self:
        """Refuse batches that cannot be divided equally."""
        if self.batch_size % self.processes:
            raise PydanticCustomError(
                "batch",
                "a `batch_size` of {batch} cannot be divided among {count} processes; take a "
                "multiple of {count}",
                {"batch": self.batch_size, "count": self.processes},
            )
        return self


FREE = frozenset(
    f"training.{name}" for name in FitOptions.model_fields if is_free(FitOptions, name)
)
"""Options that a training may go on with when they have changed."""
