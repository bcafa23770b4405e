"""The observer `palette-sqlite`."""

from pydantic import Field

from unprompt import Location, Model, ObserverSpec, hookimpl


class SqliteOptions(Model):
    """Options of `palette-sqlite`."""

    path: Location = Field(description="The database; made where there is none.")


@hookimpl
def unprompt_observer() -> ObserverSpec:
    return ObserverSpec(
        name="palette-sqlite",
        summary="writes runs and scores to SQLite",
        options=SqliteOptions,
        target="unprompt_palette.sqlite:Recorder",
    )
