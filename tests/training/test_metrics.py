"""The log of a training: every step once, whatever killed it, and no failure that ends it."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.full_disk import no_file_above

from unprompt.errors import DataError
from unprompt.train.metrics import METRICS, MetricsLog, read_metrics

Heard = list[tuple[int, dict[str, float]]]


def fill(folder: Path, steps: range, heard: Heard | None = None, resume: int | None = None) -> None:
    """Log some steps; the loss is one divided by the step."""
    keep: Heard = [] if heard is None else heard
    with MetricsLog(folder, lambda step, values: keep.append((step, dict(values)))) as log:
        if resume is not None:
            log.resume(resume)
        for step in steps:
            log.log(step, step / 4, {"loss": 1 / step})


def steps_of(folder: Path) -> list[int]:
    return [line.step for line in read_metrics(folder / METRICS)]


def strict(text: str) -> Any:
    """JSON as the standard has it: no NaN."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    return json.loads(text, parse_constant=refuse)


def events_of(folder: Path) -> list[Any]:
    """The events of the only event file, by the format of TFRecord files."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.glob("events.out.tfevents.*")
    content, events = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        events.append(Event.FromString(content[12 : 12 + length]))
        content = content[16 + length :]
    return events


def scalars_of(folder: Path, tag: str) -> list[tuple[int, float]]:
    return [
        (event.step, value.simple_value)
        for event in events_of(folder)
        for value in event.summary.value
        if value.tag == tag
    ]


def test_each_step_is_a_line_and_an_event_and_heard_of(tmp_path: Path) -> None:
    heard: Heard = []
    values: list[dict[str, Any]] = [
        {"loss": 0.5, "learning_rate": 1e-3},
        {"loss": np.float32(0.25), "validation cosine": 0.75},
    ]
    with MetricsLog(tmp_path / "new" / "folder", lambda s, v: heard.append((s, dict(v)))) as log:
        for step, measured in enumerate(values, start=1):
            log.log(step, step / 2, measured)
            lines = (tmp_path / "new" / "folder" / METRICS).read_text().splitlines()
            assert len(lines) == step, "the line is there at once"
    first, second = read_metrics(tmp_path / "new" / "folder" / METRICS)
    assert (first.step, first.epoch, first.values) == (1, 0.5, {"loss": 0.5, "learning_rate": 1e-3})
    assert second.values == {"loss": 0.25, "validation cosine": 0.75}
    assert 0 <= first.seconds <= second.seconds
    assert list(strict(lines[0])) == ["step", "epoch", "seconds", "loss", "learning_rate"]
    assert heard == [
        (1, {"epoch": 0.5, "seconds": first.seconds, "loss": 0.5, "learning_rate": 1e-3}),
        (2, {"epoch": 1.0, "seconds": second.seconds, "loss": 0.25, "validation cosine": 0.75}),
    ]
    assert scalars_of(tmp_path / "new" / "folder", "loss") == [(1, 0.5), (2, 0.25)]
    assert scalars_of(tmp_path / "new" / "folder", "validation cosine") == [(2, 0.75)]
    assert events_of(tmp_path / "new" / "folder")[0].file_version == "brain.Event:2"


def test_numbers_that_are_not_finite_are_strict_json(tmp_path: Path) -> None:
    values = {"loss": math.nan, "norm": math.inf, "gain": -math.inf}
    with MetricsLog(tmp_path) as log:
        log.log(1, 0, values)
    (text,) = (tmp_path / METRICS).read_text().splitlines()
    assert [strict(text)[name] for name in values] == ["NaN", "Infinity", "-Infinity"]
    (line,) = read_metrics(tmp_path / METRICS)
    assert math.isnan(line.values["loss"])
    assert (line.values["norm"], line.values["gain"]) == (math.inf, -math.inf)
    assert scalars_of(tmp_path, "norm") == [(1, math.inf)]


def test_a_resumed_training_has_every_step_once(tmp_path: Path) -> None:
    fill(tmp_path, range(1, 8))
    before = read_metrics(tmp_path / METRICS)
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 8, "epoch": 2.0, "sec')  # what a killed process has cut
    heard: Heard = []
    fill(tmp_path, range(6, 10), heard, resume=5)
    lines = read_metrics(tmp_path / METRICS)
    assert [line.step for line in lines] == [*range(1, 10)]
    assert lines[:5] == before[:5]
    assert lines[5].seconds >= lines[4].seconds
    assert [step for step, _ in heard] == [*range(1, 10)], "the observer may be a new run's"
    assert [step for step, _ in scalars_of(tmp_path, "loss")] == [*range(1, 10)]


@pytest.mark.parametrize("resume", [None, 0])
def test_a_training_that_begins_anew_leaves_nothing_of_the_last_one(
    tmp_path: Path, resume: int | None
) -> None:
    fill(tmp_path, range(1, 8))
    fill(tmp_path, range(1, 4), resume=resume)
    assert steps_of(tmp_path) == [1, 2, 3]
    assert [step for step, _ in scalars_of(tmp_path, "loss")] == [1, 2, 3]


def test_a_training_without_metrics_can_be_resumed(tmp_path: Path) -> None:
    fill(tmp_path, range(4, 6), resume=3)
    assert steps_of(tmp_path) == [4, 5]


def test_damaged_lines_are_dropped_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, range(1, 4))
    text = (tmp_path / METRICS).read_text().replace('"step": 2', '"step": "two"')
    (tmp_path / METRICS).write_text(text)
    fill(tmp_path, range(4, 5), resume=3)
    assert steps_of(tmp_path) == [1, 3, 4]
    (line,) = caplog.messages
    assert line.startswith(f"{tmp_path / METRICS}:2: step: ")


def test_a_killed_training_loses_no_step(tmp_path: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; "
        "from unprompt.train.metrics import MetricsLog; log = MetricsLog(Path.cwd())\n"
        "for step in range(1, 51): log.log(step, step / 4, {'loss': 1 / step})\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False, timeout=300
    )
    assert done.returncode == -signal.SIGKILL
    assert steps_of(tmp_path) == [*range(1, 51)]
    fill(tmp_path, range(41, 61), resume=40)
    assert steps_of(tmp_path) == [*range(1, 61)]
    assert [step for step, _ in scalars_of(tmp_path, "loss")] == [*range(1, 61)]


def test_a_disk_that_fills_up_is_one_warning_and_cuts_no_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard: Heard = []
    with MetricsLog(tmp_path, lambda step, values: heard.append((step, dict(values)))) as log:
        log.log(1, 0, {"loss": 0.5})
        with no_file_above(500):
            for step in range(2, 300):
                log.log(step, 0, {"loss": 0.5})
        log.log(300, 1, {"loss": 0.25})
    assert [step for step, _ in heard] == [*range(1, 301)]
    steps = steps_of(tmp_path)
    assert steps[: len(steps) - 1] == [*range(1, len(steps))]
    assert 1 < len(steps) < 20
    assert steps[-1] == 300, "there is room again"
    (line,) = caplog.messages
    assert line.endswith("; the training goes on without it")
    assert os.strerror(errno.EFBIG).lower() in line


def test_a_folder_that_cannot_be_written_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    heard: Heard = []
    fill(tmp_path / "file" / "folder", range(1, 5), heard)
    assert [step for step, _ in heard] == [1, 2, 3, 4]
    assert len(caplog.messages) == 1
    assert (tmp_path / "file").read_text() == ""


def test_a_folder_that_is_removed_is_made_again(tmp_path: Path) -> None:
    with MetricsLog(tmp_path / "work") as log:
        log.log(1, 0, {"loss": 0.5})
        shutil.rmtree(tmp_path / "work")
        log.log(2, 0, {"loss": 0.25})
    assert steps_of(tmp_path / "work") == [2]


@pytest.mark.parametrize("method", ["__init__", "write", "flush"])
def test_a_failure_of_tensorboard_is_one_warning(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    method: str,
) -> None:
    from tensorboardX.record_writer import RecordWriter

    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(RecordWriter, method, broken)
    fill(tmp_path, range(1, 5))
    assert steps_of(tmp_path) == [1, 2, 3, 4]
    (line,) = caplog.messages
    assert line == (
        f"{tmp_path}: the TensorBoard event file: RuntimeError: a bug; the training goes on "
        "without it"
    )


def test_without_tensorboardx_a_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX.record_writer", None)
    fill(tmp_path, range(1, 4))
    assert steps_of(tmp_path) == [1, 2, 3]
    assert len(caplog.messages) == 1


def test_names_of_other_keys_are_refused(tmp_path: Path) -> None:
    with MetricsLog(tmp_path) as log, pytest.raises(ValueError, match="named 'epoch'"):
        log.log(1, 0, {"loss": 0.5, "epoch": 1})


GOOD = '{"step": 1, "epoch": 0.5, "seconds": 2, "loss": 0.5}\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + "[]\n", ":2: should be an object, but is a list"),
        (GOOD + "{\n", ":2: not JSON: "),
        (GOOD + "\xff\n", ":2: not JSON: not UTF-8"),
        (GOOD + GOOD, ":2: step 1 after step 1"),
        (GOOD.replace("1,", "-1,"), ":1: step: should be a whole number, at least 0"),
        (GOOD.replace("1,", "true,"), ":1: step: should be a whole number, at least 0"),
        (GOOD.replace("0.5, ", '"NaN", '), ":1: epoch: should be a finite number, at least 0"),
        (GOOD.replace(', "seconds": 2', ""), ":1: seconds: should be a finite number, at least 0"),
        (GOOD.replace("0.5}", "null}"), ":1: loss: should be a number, NaN, Infinity or"),
        (GOOD.replace("0.5}", "true}"), ":1: loss: should be a number, NaN, Infinity or"),
        (GOOD.replace("0.5}", '"nan"}'), ":1: loss: should be a number, NaN, Infinity or"),
        (GOOD.replace("0.5}", f"1{'0' * 400}}}"), ":1: loss: should be a number, NaN, Infinity"),
        (GOOD.replace("}", ', "loss": 1}'), ":1: not JSON: the key 'loss' is there twice"),
        (GOOD.replace("loss", "x" * 70_000), ":1: a line of more than 65,536 bytes"),
        ("[" * 50_000 + "\n", ":1: not JSON: nested too deeply"),
        ("{}\n{}\n{}\n", ":1: step: should be a whole number, at least 0 (and 2 more lines)"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / METRICS
    path.write_text(text, encoding="latin-1")
    with pytest.raises(DataError) as caught:
        read_metrics(path)
    (line,) = caught.value.problems
    assert line.startswith(f"{path}{words}")


def test_what_can_be_read_is_read(tmp_path: Path) -> None:
    path = tmp_path / METRICS
    path.write_text(GOOD + "\n" + GOOD.replace("1,", "7,", 1).rstrip("\n"))
    assert [line.step for line in read_metrics(path)] == [1, 7]
    path.write_text("")
    assert read_metrics(path) == ()
    with pytest.raises(DataError, match="no such file"):
        read_metrics(tmp_path / "other.jsonl")
