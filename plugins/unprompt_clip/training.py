"""What YAML may say about how a regressor is trained."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from unprompt import refuse_options, unread_option
from unprompt.train import (
    CHOOSE,
    FREE,
    Adapter,
    Cosine,
    Distillation,
    FitOptions,
    Head,
    LinearHead,
    Loss,
)

_FREE = tuple(key.removeprefix("training.") for key in FREE)
"""Options that change no result, or only by rounding."""


class TrainingOptions(FitOptions):
    """A linear probe on frozen features, then fine-tuning from it (LP-FT)."""

    epochs: int = Field(
        default=10,
        ge=0,
        description="Passes over the images in the fine-tuning. 0: there is none, only the head is "
        "fitted, to frozen features.",
    )
    head: Head = Field(
        default=LinearHead(),
        description="What stands on the tower: `linear`, or `mlp`. A head of the checkpoint is not "
        "used.",
    )
    loss: Loss = Field(
        default=(Cosine(),),
        description="What is minimised: a name, a map, or a list of maps, which are added.",
    )
    adapter: Adapter | None = Field(
        default=None,
        description="Train low-rank adapters (LoRA, DoRA) in the place of the tower's own "
        "parameters; merged into them afterwards. Needs `unprompt[adapters]`.",
    )
    sample_weights: bool = Field(
        default=True, description="Whether the dataset's `weight` of an image counts in the loss."
    )
    validation: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="Share of the train split, in whole groups, whose images are not fitted to: "
        f"they {CHOOSE}, and the ridge penalty. 0: none; then the penalty is chosen by "
        "leave-one-out error and the last step is taken.",
    )

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        """Refuse what has no effect, and parts of a batch that are too small."""
        if len(self.wise_ft) > 1 and not self.validation:
            why = "with several shares where there are no validation images to choose by"
            refuse_options([unread_option(why, "wise_ft")])
        if not self.epochs:
            idle = [name for name in ("adapter", "wise_ft") if getattr(self, name)]
            if idle:
                why = "without a fine-tuning (`epochs: 0`)"
                refuse_options([unread_option(why, name) for name in idle])
        least = self.head.least_batch
        if self.smallest_part < least:
            raise PydanticCustomError(
                "batch",
                "`head: {head}` needs at least {least} images in each part of a batch, and "
                "batch_size / processes / accumulate is {part}",
                {"head": self.head.name, "least": least, "part": self.smallest_part},
            )
        return self

    @property
    def smallest_part(self) -> int:
        """Images of the smallest part of a batch that gradients are computed of at once."""
        return self.batch_size // self.processes // self.accumulate

    def comparable(self) -> TrainingOptions:
        """Without what changes no result, and without where teachers lie."""
        plain = {name: type(self).model_fields[name].default for name in _FREE}
        teachers = [
            term.model_copy(update={"teacher": None}) if isinstance(term, Distillation) else term
            for term in self.loss
        ]
        return self.model_copy(update={**plain, "loss": tuple(teachers)})
