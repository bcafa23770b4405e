"""Whom a run tells what a member's training measures: in order, each step once, whatever fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

InstallPlugin = Callable[..., Path]
Command = Callable[..., CompletedProcess[str]]

FITTED = '''
import os, signal
import mean_plugin
from unprompt import PredictorSpec, hookimpl
from unprompt.train.metrics import MetricsLog

class Options(mean_plugin.Options):
    steps: int = 6
    killed: int = 0
    resumed: int = 0
    writes: str = ""

class Fitted(mean_plugin.Mean):
    """Says that it took its time."""

    def prepare(self, train, artifact):
        print("work", train.work, flush=True)
        with MetricsLog(train.work, train.metrics) as log:
            if self.options.resumed:
                log.resume(self.options.resumed)
            for step in range(self.options.resumed + 1, self.options.steps + 1):
                log.log(step, step / 2, {"loss": 1 / step})
                if step == self.options.killed:
                    os.kill(os.getpid(), signal.SIGKILL)
        super().prepare(train, artifact)
        (artifact / "training").mkdir()
        metrics = self.options.writes or (train.work / "metrics.jsonl").read_text()
        (artifact / "training" / "metrics.jsonl").write_text(metrics)

@hookimpl
def unprompt_predictor():
    return PredictorSpec("fitted", "the mean train target", Options, "fitted_plugin:Fitted")
'''

KEEPER = '''
import json
from unprompt import Location, Model, Observer, ObserverSpec, hookimpl

class Options(Model):
    file: Location
    changes: bool = False
    fails_at: int = 0

class Keeper(Observer):
    """Appends what it hears."""

    def training_measured(self, run, member, step, values):
        if step == self.options.fails_at:
            raise RuntimeError("the server is gone")
        with self.options.file.path.open("a") as file:
            file.write(json.dumps([run.name, member, step, dict(values)]) + "\\n")
        if self.options.changes:
            values.clear()
            return "something"

    def member_predicted(self, run, member, split, embeddings):
        with self.options.file.path.open("a") as file:
            file.write(json.dumps([run.name, member, split]) + "\\n")

@hookimpl
def unprompt_observer():
    return ObserverSpec("keeper", "keeps what it hears", Options, "keeper_plugin:Keeper")
'''

HOOK = """
from unprompt import hookimpl

@hookimpl
def unprompt_training_measured(member, step, values):
    with open(FILE, "a") as file:
        file.write(f"{member} {step} {values['loss']}\\n")
"""

SLOW = "name: slow, plugin: fitted"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def observed(
    install_plugin: InstallPlugin, write_observed: Callable[..., Path], tmp_path: Path
) -> Callable[..., Path]:
    """``observed(observers, member=SLOW)``: an experiment; the plugins are installed."""
    install_plugin("fitted", FITTED)
    install_plugin("keeper", KEEPER)
    install_plugin("hooked", HOOK.replace("FILE", repr(str(tmp_path / "hooked.txt"))))
    return lambda observers, member=SLOW: write_observed(observers, "observed", member)


def _heard(file: Path) -> list[list[Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def _steps(file: Path) -> list[tuple[int, float]]:
    """Steps and losses, in the order in which they were heard."""
    return [(step, rest[0]["loss"]) for _, _, step, *rest in _heard(file) if rest]


EXPECTED = [(step, 1 / step) for step in range(1, 7)]


def test_each_step_is_heard_once_in_order_before_the_member_predicts(
    observed: Callable[..., Path], unprompt: Command, tmp_path: Path
) -> None:
    path = observed("- {plugin: keeper, options: {file: one.jsonl}}\n- hooked")
    done = unprompt("run", path, "--quiet")
    assert done.returncode == 0, done.stderr
    heard = _heard(tmp_path / "one.jsonl")
    assert _steps(tmp_path / "one.jsonl") == EXPECTED
    assert [entry[:3] for entry in heard[6:]] == [
        ["observed", "slow", "holdout"],
        ["observed", "slow", "test"],
    ]
    assert [entry[:2] for entry in heard] == [["observed", "slow"]] * 8
    assert [entry[3]["epoch"] for entry in heard[:6]] == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    assert (tmp_path / "hooked.txt").read_text().splitlines() == [
        f"slow {step} {loss}" for step, loss in EXPECTED
    ]
    work = tmp_path / "runs" / "observed" / "training" / "slow"
    assert f"work {work}" in done.stderr
    assert len((work / "metrics.jsonl").read_text().splitlines()) == 6


def test_what_comes_from_the_cache_is_heard_of_too(
    observed: Callable[..., Path], unprompt: Command, tmp_path: Path
) -> None:
    path = observed("- {plugin: keeper, options: {file: one.jsonl}}")
    assert unprompt("run", path, "--quiet").returncode == 0
    (tmp_path / "one.jsonl").unlink()
    again = unprompt("run", path, "--quiet")
    assert again.returncode == 0
    assert "work" not in again.stderr, "it trained again"
    assert _steps(tmp_path / "one.jsonl") == EXPECTED


def test_what_one_changes_no_other_sees_and_what_it_returns_is_left_alone(
    observed: Callable[..., Path], unprompt: Command, tmp_path: Path
) -> None:
    path = observed(
        "- {plugin: keeper, options: {file: one.jsonl, changes: true}}\n"
        "- {plugin: keeper, options: {file: two.jsonl}}"
    )
    done = unprompt("run", path, "--quiet")
    assert done.returncode == 0, done.stderr
    assert _steps(tmp_path / "two.jsonl") == EXPECTED
    run = Path(done.stdout.splitlines()[-1])
    written = (run / "artifacts" / "slow" / "training" / "metrics.jsonl").read_text()
    assert [json.loads(line)["loss"] for line in written.splitlines()] == [
        loss for _, loss in EXPECTED
    ]


def test_who_fails_is_named_once_and_not_called_again_for_that_training(
    observed: Callable[..., Path],
    unprompt: Command,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = observed(
        "- {plugin: keeper, options: {file: one.jsonl, fails_at: 3}}\n"
        "- {plugin: keeper, options: {file: two.jsonl}}",
        f"{SLOW}}}, {{name: other, plugin: fitted, options: {{steps: 5}}",
    )
    done = unprompt("run", path, "--quiet")
    assert done.returncode == 0, done.stderr
    start = "plugin 'keeper' (from unprompt-keeper 1.0): Keeper.training_measured raised "
    assert [line for line in caplog.messages if "keeper" in line] == [
        f"{start}RuntimeError: the server is gone; it hears no more of the training of {member!r}"
        for member in ("slow", "other")
    ]
    assert _steps(tmp_path / "one.jsonl") == EXPECTED[:2] * 2
    assert _steps(tmp_path / "two.jsonl") == EXPECTED + EXPECTED[:5]
    assert ["observed", "slow", "test"] in _heard(tmp_path / "one.jsonl")


def test_folds_are_trained_apart_and_not_reported(
    observed: Callable[..., Path], unprompt: Command, tmp_path: Path
) -> None:
    path = observed("- {plugin: keeper, options: {file: one.jsonl}}")
    done = unprompt("run", path, "--quiet", "--set", "search.folds=2")
    assert done.returncode == 0, done.stderr
    assert _steps(tmp_path / "one.jsonl") == EXPECTED
    work = tmp_path / "runs" / "observed" / "training" / "slow"
    for part in (work, work / "fold-1", work / "fold-2"):
        assert f"work {part}\n" in done.stderr
        assert (part / "metrics.jsonl").exists()


def test_a_training_that_was_killed_goes_on_in_a_new_run(
    observed: Callable[..., Path], unprompt: Command, tmp_path: Path
) -> None:
    path = observed("- {plugin: keeper, options: {file: one.jsonl}}")
    option = "ensemble.members.slow.options"
    command = "import sys; from unprompt._cli.app import main; sys.argv[0] = 'unprompt'; main()"
    killed = subprocess.run(
        [sys.executable, "-c", command, "run", path, "--quiet", "--set", f"{option}.killed=5"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        capture_output=True,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL
    assert _steps(tmp_path / "one.jsonl") == EXPECTED[:5]
    (tmp_path / "one.jsonl").unlink()
    done = unprompt("run", path, "--quiet", "--set", f"{option}.resumed=3")
    assert done.returncode == 0, done.stderr
    assert _steps(tmp_path / "one.jsonl") == EXPECTED
    run = Path(done.stdout.splitlines()[-1])
    lines = (run / "artifacts" / "slow" / "training" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6]


def test_metrics_that_cannot_be_read_are_a_warning(
    observed: Callable[..., Path],
    unprompt: Command,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = observed(
        "- {plugin: keeper, options: {file: one.jsonl}}",
        SLOW + r', options: {writes: "{\"step\": 1}\n{}\n"}',
    )
    done = unprompt("run", path, "--quiet")
    assert done.returncode == 0, done.stderr
    assert _steps(tmp_path / "one.jsonl") == EXPECTED
    [line] = [line for line in caplog.messages if "metrics.jsonl" in line]
    assert line.startswith("member 'slow': ")
    assert line.endswith(
        "training/metrics.jsonl:1: epoch: should be a finite number, at least 0 (and 1 more line)"
    )
