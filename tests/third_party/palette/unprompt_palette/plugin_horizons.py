"""The dataset `palette-horizons`."""

from pydantic import Field

from unprompt import DatasetSpec, Model, hookimpl


class HorizonOptions(Model):
    """Options of `palette-horizons`."""

    images: int = Field(default=200, ge=3, description="How many to draw.")
    size: int = Field(default=48, ge=8, description="Side of an image in pixels.")


@hookimpl
def unprompt_dataset() -> DatasetSpec:
    return DatasetSpec(
        name="palette-horizons",
        summary="a sky of one colour above a sea of another",
        options=HorizonOptions,
        target="unprompt_palette.horizons:Horizons",
    )
