"""The plugin ``embedded-metadata``: the prompt that a generator left in the file."""

from __future__ import annotations

from pydantic import Field

from unprompt import Model, PredictorSpec, hookimpl


class EmbeddedOptions(Model):
    """Options of ``embedded-metadata``."""

    stealth: bool = Field(
        default=True,
        description="Look into the lowest bits of the pixels of PNG and lossless WebP files too.",
    )
    characters: bool = Field(
        default=False,
        description="Append NovelAI V4's prompts of single characters to the base prompt.",
    )


@hookimpl
def unprompt_predictor() -> PredictorSpec:
    """Offer ``embedded-metadata``."""
    return PredictorSpec(
        name="embedded-metadata",
        summary="reads the prompt that a generator left in the file, and abstains elsewhere",
        options=EmbeddedOptions,
        target="unprompt_metadata.reader:EmbeddedMetadata",
        reads=True,
    )
