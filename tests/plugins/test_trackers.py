"""The trackers that ship: what they keep of a run, and that nothing in them fails one."""

from __future__ import annotations

import builtins
import json
import math
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from unprompt import ConfigError, Location, Observer
from unprompt.testing import (
    MakeObserver,
    ObserverContract,
    example_metrics,
    example_scores,
    fail_example_run,
    finish_example_run,
)
from unprompt_trackers.mlflow import MlflowOptions
from unprompt_trackers.mlflow_run import MlflowTracker
from unprompt_trackers.trackio import TrackioOptions
from unprompt_trackers.trackio_run import TrackioTracker
from unprompt_trackers.values import measured, scores_of, settings

Command = Callable[..., CompletedProcess[str]]

EXPERIMENT: dict[str, Any] = {
    "name": "tracked",
    "data": {
        "plugin": "noisy",
        "options": {"test": 8, "wordings": False, "prompts": {}, "suffix": ""},
    },
    "ensemble": {
        "text_encoder": {"plugin": "noisy"},
        "members": [{"plugin": "noisy", "options": {"noise": 0.1, "seed": 1}}],
    },
    "search": {"trials": 1, "sampler": "random"},
    "score": {"wordings": 2},
}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A token that trackio would ask the Hugging Face Hub about, and no way to ask anybody."""
    asked: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> None:
        asked.append(arguments)
        raise OSError("no network in this test")

    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 34)
    for name in ("MLFLOW_TRACKING_URI", "TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield
    assert asked == []


@pytest.fixture(scope="session")
def trackio_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where trackio keeps its databases; it reads the variable once, as it is imported."""
    folder = tmp_path_factory.mktemp("trackio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKIO_DIR", str(folder))
        utils = pytest.importorskip("trackio.utils", reason="the extra trackio is not installed")
        yield Path(utils.TRACKIO_DIR)


@pytest.fixture
def trackio(trackio_folder: Path) -> Callable[..., TrackioTracker]:
    """``trackio(**options)``: a tracker."""
    return lambda **options: TrackioTracker(TrackioOptions(**options))


@pytest.fixture
def mlflow(tmp_path: Path) -> Callable[..., MlflowTracker]:
    """``mlflow(**options)``: a tracker that writes into ``tmp_path / "mlruns"``."""
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    folder = Location.of(str(tmp_path / "mlruns"))

    def make(**options: Any) -> MlflowTracker:
        return MlflowTracker(MlflowOptions(**({"folder": folder} | options)))

    return make


class TestTrackioContract(ObserverContract):
    @pytest.fixture
    def make_observer(self, trackio: Callable[..., TrackioTracker]) -> MakeObserver:
        return lambda: trackio(project="contract")


class TestMlflowContract(ObserverContract):
    @pytest.fixture
    def make_observer(self, mlflow: Callable[..., MlflowTracker]) -> MakeObserver:
        return lambda: mlflow(experiment="contract")


def trackio_rows(folder: Path, project: str, table: str, column: str) -> list[Any]:
    """Decoded values of a column of trackio's database."""
    with sqlite3.connect(folder / f"{project}.db") as database:
        rows = database.execute(f"select {column} from {table} order by id").fetchall()
    database.close()
    return [row[0] for row in rows]


def test_trackio_keeps_a_run(
    trackio: Callable[..., TrackioTracker], trackio_folder: Path, tmp_path: Path
) -> None:
    finish_example_run(trackio(project="kept", name="mine"), tmp_path / "run")
    scores = example_scores()
    steps = trackio_rows(trackio_folder, "kept", "metrics", "step")
    logged = [
        json.loads(text) for text in trackio_rows(trackio_folder, "kept", "metrics", "metrics")
    ]
    assert steps[:12] == [step for step, _ in example_metrics()]
    losses = [entry["member-1/loss"] for entry in logged[:12]]
    assert losses[:4] == [1.0, 0.5, "NaN", 0.25]
    assert logged[3]["member-1/validation cosine"] == 0.41
    assert logged[-1]["test/ensemble"] == scores["test"]["ensemble"]["score"]
    assert logged[-1]["weight/member-1"] == scores["weights"]["member-1"]
    assert set(trackio_rows(trackio_folder, "kept", "metrics", "run_name")) == {"mine"}
    (config,) = [
        json.loads(text) for text in trackio_rows(trackio_folder, "kept", "configs", "config")
    ]
    assert config["ensemble.members.member-0.plugin"] == "member-0"
    assert config["_Username"] is None
    assert trackio_rows(trackio_folder, "kept", "alerts", "title") == ["run finished"]


@pytest.mark.parametrize("error", [ValueError("no such image"), KeyboardInterrupt()])
def test_trackio_says_that_a_run_failed(
    trackio: Callable[..., TrackioTracker],
    trackio_folder: Path,
    tmp_path: Path,
    error: BaseException,
) -> None:
    project = f"failed-{type(error).__name__}"
    fail_example_run(trackio(project=project), tmp_path / "run", error)
    assert trackio_rows(trackio_folder, project, "alerts", "title") == ["run failed"]
    assert trackio_rows(trackio_folder, project, "alerts", "text") == [
        f"{type(error).__name__}: {error}"
    ]


def mlflow_run(folder: Path) -> Any:
    """The only run of a file store, with a client of it."""
    from mlflow import MlflowClient

    client = MlflowClient(folder.as_uri())
    (experiment,) = [e for e in client.search_experiments() if e.name != "Default"]
    (run,) = client.search_runs([experiment.experiment_id])
    return experiment, run, client


@pytest.fixture
def file_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of these tests may use it; a tracker asks by itself."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")


def test_mlflow_keeps_a_run(
    mlflow: Callable[..., MlflowTracker], file_store: None, tmp_path: Path
) -> None:
    finish_example_run(mlflow(), tmp_path / "20261126-1")
    experiment, run, client = mlflow_run(tmp_path / "mlruns")
    scores = example_scores()
    assert (experiment.name, run.info.status) == (scores["experiment"], "FINISHED")
    assert run.info.run_name == "20261126-1"
    assert run.data.tags["folder"] == str(tmp_path / "20261126-1")
    history = client.get_metric_history(run.info.run_id, "member-1/loss")
    values = {metric.step: metric.value for metric in history}
    assert sorted(values) == [step for step, _ in example_metrics()]
    assert math.isnan(values[3])
    assert values[4] == 0.25
    assert run.data.metrics["test/member-0"] == scores["test"]["members"]["member-0"]["score"]
    assert run.data.metrics["test/oracle"] == scores["test"]["oracle"]
    assert run.data.params["ensemble.members.member-0.plugin"] == "member-0"
    written = next((tmp_path / "mlruns").glob("*/*/artifacts/experiment.json"))
    assert json.loads(written.read_text())["name"] == scores["experiment"]


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("no such image"), "FAILED"), (KeyboardInterrupt(), "KILLED")]
)
def test_mlflow_says_that_a_run_failed(
    mlflow: Callable[..., MlflowTracker],
    file_store: None,
    tmp_path: Path,
    error: BaseException,
    status: str,
) -> None:
    fail_example_run(mlflow(experiment="failed", name="mine"), tmp_path / "run", error)
    experiment, run, client = mlflow_run(tmp_path / "mlruns")
    assert (experiment.name, run.info.run_name, run.info.status) == ("failed", "mine", status)
    assert run.data.tags["error"] == f"{type(error).__name__}: {error}"
    assert len(client.get_metric_history(run.info.run_id, "member-1/loss")) == 12


def test_mlflow_leaves_the_environment_and_other_runs_alone(
    mlflow: Callable[..., MlflowTracker], tmp_path: Path
) -> None:
    import mlflow as library

    before = {**os.environ}
    finish_example_run(mlflow(), tmp_path / "run")
    assert {**os.environ} == before
    assert library.active_run() is None


def test_a_tracker_that_cannot_begin_is_one_warning(
    mlflow: Callable[..., MlflowTracker], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    finish_example_run(mlflow(folder=Location.of(str(tmp_path / "file" / "x"))), tmp_path / "run")
    [line] = caplog.messages
    assert line.startswith("mlflow: ")
    assert line.endswith("; the run goes on without it")


def test_a_tracker_that_fails_later_is_one_warning_and_still_hears_of_the_end(
    mlflow: Callable[..., MlflowTracker],
    file_store: None,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(*_: Any) -> None:
        raise ConnectionError("the server is gone")

    monkeypatch.setattr(MlflowTracker, "write", gone)
    finish_example_run(mlflow(), tmp_path / "run")
    assert caplog.messages == [
        "mlflow: ConnectionError: the server is gone; the run goes on without it"
    ]
    _, run, _ = mlflow_run(tmp_path / "mlruns")
    assert run.info.status == "FINISHED"


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("trackio", lambda: TrackioTracker(TrackioOptions())),
        ("mlflow", lambda: MlflowTracker(MlflowOptions())),
    ],
)
def test_a_missing_package_is_a_line_with_the_command(
    kind: str, make: Callable[[], Observer], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.split(".")[0] == kind:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError) as caught:
        make()
    [line] = caught.value.problems
    assert line == (
        f"the observer {kind!r} needs a package: No module named {kind!r}; "
        f"pip install 'unprompt[{kind}]'"
    )


def test_a_run_without_the_package_ends_before_it_opens_an_image(
    unprompt: Command,
    finished_run: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finished_run(members=1)  # installs `noisy`
    for name in [name for name in sys.modules if name.partition(".")[0] == "trackio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "trackio", None)  # an import of it fails
    path = tmp_path / "tracked.yaml"
    path.write_text(yaml.safe_dump(EXPERIMENT | {"observers": ["trackio"]}))
    assert unprompt("config", "validate", path).returncode == 0
    done = unprompt("run", path, "--output", tmp_path / "run")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.endswith("; pip install 'unprompt[trackio]'")
    assert not (tmp_path / "run").exists()


def test_runs_of_the_command_are_tracked(
    unprompt: Command,
    finished_run: Callable[..., Path],
    mlflow: Callable[..., MlflowTracker],
    file_store: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finished_run(members=1)  # installs `noisy`
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "tracked.yaml"
    observers = [{"plugin": "mlflow", "options": {"folder": "mlruns"}}]
    path.write_text(yaml.safe_dump(EXPERIMENT | {"observers": observers}))
    done = unprompt("run", path, "--quiet")
    assert done.returncode == 0, done.stderr
    _, run, client = mlflow_run(tmp_path / "mlruns")
    folder = Path(done.stdout.splitlines()[-1])
    scores = json.loads((folder / "scores.json").read_text())
    assert run.info.run_name == folder.name
    assert run.data.metrics["test/noisy"] == scores["test"]["members"]["noisy"]["score"]
    assert run.data.params["ensemble.members.noisy.options.noise"] == "0.1"
    history = client.get_metric_history(run.info.run_id, "noisy/validation cosine")
    assert {metric.step: metric.value for metric in history} == {4: 0.5, 8: 0.7, 12: 0.65}


def test_options_that_exclude_each_other_are_a_mistake(
    unprompt: Command, finished_run: Callable[..., Path], tmp_path: Path
) -> None:
    finished_run(members=1)
    path = tmp_path / "tracked.yaml"
    options = {"uri": "http://127.0.0.1:5000", "folder": "mlruns"}
    observers = [{"plugin": "mlflow", "options": options}]
    path.write_text(yaml.safe_dump(EXPERIMENT | {"observers": observers}))
    done = unprompt("config", "validate", path)
    assert done.returncode == 2
    assert "observers.0.options.folder: has no effect beside `uri`" in done.stderr


def test_a_configuration_has_the_paths_of_set() -> None:
    experiment = {
        "name": "x",
        "search": {"trials": 5, "space": {}},
        "ensemble": {"members": [{"name": "a", "plugin": "p", "options": {"tags": ["b", "c"]}}]},
        "odd=name": None,
    }
    assert settings(experiment) == {
        "name": "x",
        "search.trials": "5",
        "search.space": "{}",
        "ensemble.members.a.plugin": "p",
        "ensemble.members.a.options.tags": '["b", "c"]',
        "odd_name": "null",
    }


def test_metrics_have_the_names_of_their_members() -> None:
    assert measured("clip-l14", {"validation cosine": 0.5, "recall@5": 1.0}) == {
        "clip-l14/validation cosine": 0.5,
        "clip-l14/recall_5": 1.0,
    }
    values = scores_of(example_scores())
    assert {"holdout/ensemble", "test/equal", "test/floor", "test/gap closed"} <= set(values)
    assert all(isinstance(value, float) for value in values.values())


@pytest.mark.parametrize("kind", ["trackio", "mlflow"])
def test_the_hook_imports_no_tracker(kind: str) -> None:
    code = f"import sys; from unprompt_trackers.{kind} import unprompt_observer as offer; offer(); "
    code += f"print({kind!r} in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "False\n"
