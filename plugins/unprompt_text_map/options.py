"""What YAML may say about a ``text-map`` member."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from unprompt import Model, refuse_options, unread_option
from unprompt.bank import BankConfig
from unprompt.towers import IDENTITY, NamedSource, OpenClipSource, Views

CENTER_ON = 1000
"""Train images behind `center`: of that many, the mean is off by a 30th of their spread."""


class TextMapOptions(Model):
    """Options of ``text-map``."""

    backbone: OpenClipSource = Field(
        default=NamedSource(model="ViT-H-14", pretrained="laion2b_s32b_b79k"),
        description="An open_clip model: image and text tower.",
    )
    bank: BankConfig = Field(
        default=BankConfig(),
        description="The prompts that the map is fitted to. They are read in parts and not kept, "
        "so that a bank may be larger than the memory.",
    )
    penalty: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Of the ridge regression, in units of the mean variance of CLIP's dimensions. "
        "Default: the best on prompts that are held out of the fit.",
    )
    held_out: int = Field(
        default=2000,
        ge=1,
        description="Without `penalty`: prompts that are held out to choose it, spread evenly over "
        "the bank, at most a fifth of it; the map is then fitted to all.",
    )
    center: bool = Field(
        default=True,
        description="Whether images are moved and scaled to where texts lie: CLIP's images and "
        "texts lie apart. Mean and spread of images are measured on up to "
        f"{CENTER_ON:,} images, spread evenly over the train split.",
    )
    views: Views = IDENTITY
    guesses: int = Field(
        default=20_000,
        ge=1,
        description="Prompts of the bank, spread evenly, that readable guesses are taken from.",
    )
    evidence: int = Field(default=5, ge=1, description="Nearest prompts to show per image.")

    @field_validator("bank")
    @classmethod
    def _check_bank(cls, bank: BankConfig) -> BankConfig:
        """Refuse an index: nothing is searched."""
        if bank.index is not None:
            refuse_options([unread_option("here: a map is fitted to all rows", "index")])
        return bank

    @field_validator("held_out")
    @classmethod
    def _check_read(cls, value: int, info: ValidationInfo) -> int:
        """Refuse a choice of what is given."""
        if info.data.get("penalty") is not None and value != cls.model_fields["held_out"].default:
            refuse_options([unread_option("beside `penalty`, which is then not chosen")])
        return value
