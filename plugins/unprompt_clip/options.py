"""What YAML may say about a trained image tower."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from unprompt import Model
from unprompt.towers import IDENTITY, TowerSource, Views
from unprompt_clip.training import TrainingOptions

Penalty = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class RegressorOptions(Model):
    """Options that both families share."""

    backbone: TowerSource = Field(description="The image tower.")
    penalties: tuple[Penalty, ...] = Field(
        default=(1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0),
        strict=False,
        min_length=1,
        description="Ridge penalties to choose from, on standardised features; the choice is by "
        "leave-one-out error on the train split, with `training` by the validation images. Not "
        "used where the checkpoint brings a head.",
    )
    training: TrainingOptions | None = Field(
        default=None,
        description="How tower and head are trained; null: the tower stays as it is, and a linear "
        "head is fitted in closed form.",
    )
    views: Views = IDENTITY
    evidence: int = Field(default=5, ge=1, description="Nearest train prompts to show per image.")
