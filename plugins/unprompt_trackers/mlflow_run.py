"""Runs in MLflow, through its client alone: another active run of the process stays as it is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from unprompt import RunView
from unprompt_trackers.mlflow import MlflowOptions
from unprompt_trackers.tracker import Tracker, started_at, why
from unprompt_trackers.values import settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # it would send what is used
    "MLFLOW_ALLOW_FILE_STORE": "true",  # asked for by 3.17; databases need more than its client
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # of a server that is gone; seven take minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""Defaults while MLflow runs, where the user has set nothing."""
_PARAMS = 100
"""Parameters that MLflow takes at once."""
_METRICS, _SECONDS = 500, 5.0
"""Metrics that are kept before they are written, and for how long: a server is asked each time."""


class MlflowTracker(Tracker):
    """Writes a run to MLflow."""

    kind = "mlflow"
    options: MlflowOptions
    _client: MlflowClient
    _id: str

    def load(self) -> None:
        """Import MLflow."""
        with _environment():
            import mlflow  # noqa: F401  # the import is the check

    def begin(self, run: RunView) -> None:
        """Make the run, with the resolved configuration as parameters and as a file."""
        from mlflow import MlflowClient
        from mlflow.entities import Param

        self._metrics: list[Metric] = []
        self._written = time.monotonic()
        with _environment():
            self._client = MlflowClient(self._uri())
            named = self.options.experiment or run.name
            experiment = self._client.get_experiment_by_name(named)
            number = (
                experiment.experiment_id if experiment else self._client.create_experiment(named)
            )
            name = self.options.name or started_at()
            tags = {"mlflow.source.name": "unprompt", "mlflow.source.type": "LOCAL"}
            self._id = self._client.create_run(number, tags=tags, run_name=name).info.run_id
            params = [Param(key, value) for key, value in settings(run.experiment).items()]
            for start in range(0, len(params), _PARAMS):
                self._client.log_batch(self._id, params=params[start : start + _PARAMS])
            self._client.log_dict(self._id, dict(run.experiment), "experiment.json")

    def write(self, values: Mapping[str, float], step: int | None) -> None:
        """Keep values, and write them now and then."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._metrics += [Metric(name, value, now, step or 0) for name, value in values.items()]
        if len(self._metrics) >= _METRICS or time.monotonic() - self._written > _SECONDS:
            self._write_metrics()

    def finish(self, run: RunView) -> None:
        """Set the status, and name the run as its folder."""
        self._write_metrics()
        with _environment():
            self._client.set_tag(self._id, "folder", str(run.folder))
            name = None if self.options.name else run.folder.name
            self._client.update_run(self._id, status="FINISHED", name=name)
            self._client.set_terminated(self._id, "FINISHED")

    def fail(self, error: BaseException) -> None:
        """Set the status: ``KILLED`` where the user interrupted the run, else ``FAILED``."""
        status = "FAILED" if isinstance(error, Exception) else "KILLED"
        with _environment():
            self._client.set_tag(self._id, "error", why(error)[:5000])
            self._client.set_terminated(self._id, status)
        self._write_metrics()

    def _write_metrics(self) -> None:
        metrics, self._metrics = self._metrics, []
        self._written = time.monotonic()
        if metrics:
            with _environment():
                for start in range(0, len(metrics), _METRICS):
                    self._client.log_batch(self._id, metrics=metrics[start : start + _METRICS])

    def _uri(self) -> str:
        given = self.options.uri or os.environ.get("MLFLOW_TRACKING_URI")
        if given and not self.options.folder:
            return given
        folder = self.options.folder.path if self.options.folder else Path("mlruns")
        return folder.absolute().as_uri()


@contextmanager
def _environment() -> Iterator[None]:
    """MLflow with our defaults, which it reads from environment variables."""
    unset = {name: value for name, value in _ENVIRONMENT.items() if name not in os.environ}
    os.environ |= unset
    try:
        yield
    finally:
        for name in unset:
            os.environ.pop(name, None)
