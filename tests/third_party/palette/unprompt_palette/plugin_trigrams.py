"""The text encoder `palette-trigrams`."""

from pydantic import Field

from unprompt import Model, TextEncoderSpec, hookimpl


class TrigramOptions(Model):
    """Options of `palette-trigrams`."""

    dim: int = Field(default=256, ge=16, description="D, the width of the target space.")


@hookimpl
def unprompt_text_encoder() -> TextEncoderSpec:
    return TextEncoderSpec(
        name="palette-trigrams",
        summary="a random direction for every three letters",
        options=TrigramOptions,
        target="unprompt_palette.trigrams:Trigrams",
    )
