"""Runs in trackio: a database of its own on this machine, which its dashboard shows."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

from unprompt import RunView
from unprompt_trackers.tracker import Tracker, started_at, why
from unprompt_trackers.trackio import TrackioOptions
from unprompt_trackers.values import settings

if TYPE_CHECKING:
    from trackio.run import Run


class TrackioTracker(Tracker):
    """Writes a run to trackio's database, with its own `Run`: `trackio.init` knows one at a time.

    Nothing leaves the machine, whatever TRACKIO_SPACE_ID and TRACKIO_SERVER_URL say.
    """

    kind = "trackio"
    options: TrackioOptions
    _run: Run

    def load(self) -> None:
        """Import trackio."""
        import trackio  # noqa: F401  # the import is the check

    def begin(self, run: RunView) -> None:
        """Start a run, whose values are written by a thread twice a second."""
        self._run = _local_run()(
            url=None,
            project=self.options.project or run.name,
            client=None,
            name=self.options.name or started_at(),
            group=self.options.group,
            config=settings(run.experiment),
        )

    def write(self, values: Mapping[str, float], step: int | None) -> None:
        """Log values."""
        self._run.log(dict(values), step=step)

    def finish(self, run: RunView) -> None:
        """An alert says where the run is; trackio's runs have no status."""
        self._end("run finished", str(run.folder), "info")

    def fail(self, error: BaseException) -> None:
        """An alert says why."""
        self._end("run failed", why(error), "error")

    def _end(self, title: str, text: str, level: str) -> None:
        from trackio import AlertLevel

        with redirect_stdout(io.StringIO()):  # it prints that it uploads, and means this machine
            self._run.alert(title, text, AlertLevel(level))
            self._run.finish()


def _local_run() -> Any:
    """The class of a run that does not ask the Hugging Face Hub who is logged in."""
    from trackio.run import Run

    class LocalRun(Run):  # type: ignore[misc]  # an extra, so that its classes are Any here
        def _get_username(self) -> str | None:
            return None

    return LocalRun
