"""The family `palette-ridge`."""

from pydantic import Field

from unprompt import Model, PredictorSpec, hookimpl


class RidgeOptions(Model):
    """Options of `palette-ridge`."""

    bins: int = Field(default=4, ge=2, le=8, description="Bins per channel; there are bins^3.")
    penalties: list[float] = Field(
        default=[1e-3, 1e-2, 1e-1, 1.0],
        min_length=1,
        description="Ridge penalties to choose from, by leave-one-out error on the train split.",
    )


@hookimpl
def unprompt_predictor() -> PredictorSpec:
    return PredictorSpec(
        name="palette-ridge",
        summary="ridge regression from a colour histogram",
        options=RidgeOptions,
        target="unprompt_palette.ridge:Ridge",
    )
