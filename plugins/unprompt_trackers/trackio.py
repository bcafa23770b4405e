"""The plugin ``trackio``: runs in trackio, on this machine."""

from __future__ import annotations

from pydantic import Field

from unprompt import Model, ObserverSpec, hookimpl


class TrackioOptions(Model):
    """Options of ``trackio``."""

    project: str | None = Field(
        default=None,
        min_length=1,
        description="trackio's project; the experiment's name by default.",
    )
    name: str | None = Field(
        default=None,
        min_length=1,
        description="The run's name in trackio; the time of its start (UTC) by default.",
    )
    group: str | None = Field(
        default=None, min_length=1, description="Groups runs of a project in the dashboard."
    )


@hookimpl
def unprompt_observer() -> ObserverSpec:
    """Offer ``trackio``."""
    return ObserverSpec(
        name="trackio",
        summary="writes runs to trackio, on this machine",
        options=TrackioOptions,
        target="unprompt_trackers.trackio_run:TrackioTracker",
        extra="unprompt[trackio]",
    )
