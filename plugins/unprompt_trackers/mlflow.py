"""The plugin ``mlflow``: runs in MLflow, in a local folder or on a server."""

from __future__ import annotations

from pydantic import Field, model_validator

from unprompt import Location, Model, ObserverSpec, hookimpl, refuse_options, unread_option


class MlflowOptions(Model):
    """Options of ``mlflow``."""

    uri: str | None = Field(
        default=None,
        min_length=1,
        description="Tracking URI, such as http://127.0.0.1:5000. Default: MLFLOW_TRACKING_URI "
        "where that is set, else a local file store in `folder`.",
    )
    folder: Location | None = Field(
        default=None,
        description="The local file store; `mlruns` in the working directory by default. Not with "
        "`uri`.",
    )
    experiment: str | None = Field(
        default=None,
        min_length=1,
        description="MLflow's experiment, made where it is missing; by default named as ours.",
    )
    name: str | None = Field(
        default=None,
        min_length=1,
        description="The run's name in MLflow; by default the time of its start (UTC), and the "
        "name of its folder once it is finished.",
    )

    @model_validator(mode="after")
    def _check_place(self) -> MlflowOptions:
        if self.uri is not None and self.folder is not None:
            refuse_options([unread_option("beside `uri`", "folder")])
        return self


@hookimpl
def unprompt_observer() -> ObserverSpec:
    """Offer ``mlflow``."""
    return ObserverSpec(
        name="mlflow",
        summary="writes runs to MLflow, in a local folder or on a server",
        options=MlflowOptions,
        target="unprompt_trackers.mlflow_run:MlflowTracker",
        extra="unprompt[mlflow]",
    )
