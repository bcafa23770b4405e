"""What stops a fit: one line, and the last good checkpoint stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch  # noqa: TID253  # results are its tensors
from PIL import Image
from tests.full_disk import no_file_above

from unprompt.contracts import Images, TrainSet
from unprompt.embeddings import Embeddings
from unprompt.errors import ConfigError, DataError, OutputError, UnpromptError
from unprompt.train import checkpoints, fit, loop
from unprompt.train.alone import LOCK, alone_in
from unprompt.train.checking import Checks
from unprompt.train.job import Job

from .conftest import COUNT, Colours, MakeMember, coloured
from .jobs import BATCH, STEPS, TRAIN, assert_equal, make_job, state_of, stopping
from .sources import LoggedColours

Make = Callable[..., Job]
EACH: dict[str, Any] = {"checkpoint_minutes": 1e-9}
WISE: dict[str, list[float]] = {"tuned": [], "half": [0.5], "several": [0.3, 0.5]}


@pytest.fixture
def make(vision: Path, train: TrainSet, tmp_path: Path) -> Make:
    """``make(**options)``: a job; ``data``, ``source`` and ``held`` are no options."""

    def job(name: str = "fit", data: TrainSet | None = None, **more: Any) -> Job:
        return make_job(tmp_path / name, vision, data or train, **more)

    return job


def line_of(kind: type[UnpromptError], job: Job) -> str:
    """The only line with which a fit ends."""
    with pytest.raises(kind) as caught:
        fit(job)
    (line,) = caught.value.problems
    assert "\n" not in line
    return line


class Spoiled(Colours):
    """Opens images whose pixels are whatever a test makes of them."""

    def digest(self, image_id: str) -> str:
        return f"spoiled {super().digest(image_id)}"


@pytest.mark.parametrize("late", [False, True])
def test_a_loss_that_is_no_number_names_the_batch_and_keeps_the_checkpoint(
    make: Make, train: TrainSet, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """A target of the second step's batch is NaN; of a GPU that is known a step later."""
    from unprompt.train.order import epoch_order

    monkeypatch.setattr(loop, "Checks", lambda **_: Checks(late=late))

    order = epoch_order(TRAIN, 0, 0)
    second = order[BATCH : 2 * BATCH].tolist()
    rows = train.targets.rows.copy()
    rows[second[3]] = np.nan
    targets = Embeddings.__new__(Embeddings)  # which refuses such rows
    object.__setattr__(targets, "ids", train.targets.ids)
    object.__setattr__(targets, "rows", rows)
    job = make(**EACH)
    spoiled = torch.from_numpy(rows[:TRAIN])
    job.task._criterion._targets = spoiled  # type: ignore[attr-defined]  # a RegressorTask
    line = line_of(DataError, job)
    names = ", ".join(repr(f"i{number}") for number in second)
    last = job.checkpoints / checkpoints.LAST
    assert line.startswith(f"toy: step 2 of {STEPS}, epoch 1: the loss is nan; the checkpoint of ")
    assert f"the checkpoint of step 1 is kept: {last}" in line
    assert line.endswith(names)
    again = make(**EACH)
    assert fit(again).attempts == 2  # with whole targets it goes on from there
    whole = make("whole")
    fit(whole)
    assert_equal(state_of(again), state_of(whole))


@pytest.mark.parametrize("late", [False, True])
def test_the_first_step_that_failed_is_named(
    make: Make, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """Without a checkpoint in between, whose time would be one to look at the step."""
    from unprompt.train.order import epoch_order

    monkeypatch.setattr(loop, "Checks", lambda **_: Checks(late=late))
    job = make(checkpoint_minutes=60)
    second = epoch_order(TRAIN, 0, 0)[BATCH : 2 * BATCH].tolist()
    spoiled = job.task._criterion._targets.clone()  # type: ignore[attr-defined]  # a RegressorTask
    spoiled[second[0]] = np.nan
    job.task._criterion._targets = spoiled  # type: ignore[attr-defined]  # a RegressorTask
    line = line_of(DataError, job)
    assert line.startswith(f"toy: step 2 of {STEPS}, epoch 1: the loss is nan; there is no ")
    assert line.endswith(", ".join(repr(f"i{number}") for number in second))


def test_steps_are_looked_at_in_their_order() -> None:
    rows = torch.arange(2)
    for late in (False, True):
        checks, seen = Checks(late=late), []
        for step in range(4):
            checks.add(step, 0, rows, {"loss": torch.tensor(float(step))})
            seen.append([(taken.step, taken.values) for taken in checks.ready()])
        each = [[(step, {"loss": step})] for step in range(4)]
        assert seen == ([[], *each[:3]] if late else each)
        assert [taken.step for taken in checks.all()] == ([3] if late else [])
        assert checks.all() == []


def test_without_a_checkpoint_that_is_said(make: Make) -> None:
    job = make(learning_rate=1e30, clip=None, warmup=0.0, schedule="constant", weight_decay=0.0)
    assert "there is no checkpoint yet" in line_of(DataError, job)


@pytest.mark.parametrize("file", ["last", "best"])
def test_a_full_disk_keeps_the_checkpoint_before(file: str, make: Make) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(make(**EACH), stopping(2))
    job = make(**EACH)
    last, best = (job.checkpoints / name for name in (checkpoints.LAST, checkpoints.BEST))
    before = last.read_bytes(), best.read_bytes()
    assert len(before[0]) > 2 * len(before[1])
    room = len(before[1]) + 1000 if file == "last" else len(before[1]) // 2
    with no_file_above(room):
        line = line_of(OutputError, job)
    assert line == f"{job.checkpoints / file}.safetensors: cannot be written: file too large"
    assert last.read_bytes() == before[0]
    assert sorted(job.checkpoints.iterdir()) == [best, last]
    again, whole = make(**EACH), make("whole")
    fit(again)
    fit(whole)
    assert_equal(state_of(again), state_of(whole))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mount") is None, reason="needs mount")
def test_a_disk_that_is_really_full(make: Make, tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "fit").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(tmp_path / "fit")]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        job = make(**EACH, ema=0.9)
        line = line_of(OutputError, job)
        assert line.endswith("cannot be written: no space left on device")
    finally:
        subprocess.run(["umount", str(tmp_path / "fit")], check=True)


def test_a_checkpoint_of_other_options_is_refused_with_both_values(make: Make) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(make(), stopping(3))
    job = make(learning_rate=0.02, layer_decay=0.5)
    last = job.checkpoints / checkpoints.LAST
    assert line_of(ConfigError, job) == (
        f"{last}: of another training: training.layer_decay 1.0, now 0.5; training.learning_rate "
        "0.01, now 0.02; go back to its options, or start anew with `unprompt train ... --resume "
        "never`"
    )
    fit(make(accumulate=2, checkpoint_minutes=3.0))  # these change rounding at most


@pytest.mark.parametrize("file", [checkpoints.LAST, checkpoints.BEST])
@pytest.mark.parametrize("damage", ["cut", "empty", "other", "header", "bit"])
def test_a_damaged_checkpoint_is_one_line_that_says_what_to_do(
    file: str, damage: str, make: Make, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(make(), stopping(3))
    job = make()
    path = job.checkpoints / file
    content = path.read_bytes()
    if damage == "other":
        from safetensors.torch import save_file

        save_file({"x": torch.zeros(3)}, path)
    else:
        flipped = bytes([content[-1] ^ 64])  # of a parameter: the file is as long and as valid
        cut = {
            "cut": content[:-100],
            "empty": b"",
            "header": b"\xff" * 100 + content[100:],
            "bit": content[:-1] + flipped,
        }
        path.write_bytes(cut[damage])
    line = line_of(DataError, job)
    assert line.startswith(f"{path}: ")
    assert line.endswith("; start anew with `unprompt train ... --resume never`")
    checkpoints.forget(job.folder)
    fit(make())


def test_a_training_that_is_stopped_before_its_first_step_says_so(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    def at_once(items: Iterable[Any], *, what: str, total: int | None = None) -> Iterator[Any]:
        if what.endswith(": images"):
            raise KeyboardInterrupt
        yield from items

    with pytest.raises(KeyboardInterrupt):
        fit(make(), at_once)
    assert caplog.messages[-1].endswith(
        ": stopped before the first step: there is no checkpoint yet"
    )


def test_a_checkpoint_from_before_there_were_checksums_is_gone_on_with(make: Make) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with pytest.raises(KeyboardInterrupt):
        fit(make(), stopping(3))
    job = make()
    path = job.checkpoints / checkpoints.LAST
    with safe_open(path, "pt") as file:
        written = file.metadata()
    save_file(load_file(path), path, {"unprompt.fit": written["unprompt.fit"]})
    assert set(written) == {"unprompt.fit", "unprompt.crc32"}
    fitted = fit(job)
    assert (fitted.steps, fitted.attempts) == (STEPS, 2)


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_training_of_one_step_is_no_matter_for_a_warning(
    schedule: str, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    fitted = fit(make(schedule=schedule, epochs=1, batch_size=TRAIN, warmup=0.0))
    assert fitted.steps == 1
    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == []
    (line,) = [
        json.loads(text)
        for text in (make().folder / "metrics.jsonl").read_text().splitlines()
        if json.loads(text)["step"] == 1
    ]
    assert line["learning_rate"] == pytest.approx(1e-2)  # the peak


def test_best_parameters_that_are_gone_are_noticed_at_once(make: Make) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(make(), stopping(3))
    job = make()
    (job.checkpoints / checkpoints.BEST).unlink()
    assert "best.safetensors: cannot be read: no such file" in line_of(DataError, job)


def test_the_second_training_in_a_folder_says_who_is_there(make: Make) -> None:
    import os

    job = make()
    with alone_in(job.folder):
        line = line_of(OutputError, job)
        assert line.startswith(f"{job.folder}: process {os.getpid()} on ")
        with pytest.raises(OutputError, match="trains in this folder"):
            checkpoints.forget(job.folder)
    (job.folder / LOCK).write_text("not JSON")  # whoever wrote it has ended
    fit(job)


@pytest.mark.parametrize("above", [True, False])
def test_a_folder_that_cannot_be_written_is_one_line(
    above: bool, make: Make, tmp_path: Path
) -> None:
    (tmp_path / "fit").write_text("a file")
    job = make()
    job = replace(job, folder=job.folder / "inside") if above else job
    assert line_of(OutputError, job).startswith(f"{job.folder}: cannot be written: ")


def test_too_many_broken_images(make: Make, train: TrainSet) -> None:
    source = train.images.source
    assert isinstance(source, Colours)
    broken = LoggedColours(source.levels, broken=frozenset({"i2", "i9", "i11"}))
    with pytest.raises(DataError) as caught:
        fit(make(source=broken, most_broken=0.1))
    first, *others = caught.value.problems
    assert first.startswith("3 of 24 samples cannot be opened, more than the share of 0.1 that may")
    assert sorted(others) == ["i11.png: truncated", "i2.png: truncated", "i9.png: truncated"]
    assert set(fit(make("few", source=broken, most_broken=0.2)).broken) == {"i2", "i9", "i11"}


def test_no_validation_image_can_be_read(make: Make, train: TrainSet) -> None:
    source = train.images.source
    assert isinstance(source, Colours)
    held = [f"i{number}" for number in range(TRAIN, TRAIN + 8)]
    some = LoggedColours(source.levels, broken=frozenset(held[1:]))
    fitted = fit(make(source=some, wise_ft=[0.5]))
    assert set(fitted.broken) == set(held[1:])
    assert 0 < fitted.scores["cosine"] <= 1
    none = LoggedColours(source.levels, broken=frozenset(held))
    with pytest.raises(DataError, match="none of 8 validation images can be read"):
        fit(make("none", source=none))


@pytest.mark.parametrize("held", [0, 1])
def test_one_validation_image_or_none(held: int, make: Make) -> None:
    fitted = fit(make(held=held, wise_ft=[0.5]))
    assert len(fitted.scores) == held
    assert fitted.steps == STEPS


def test_without_validation_images_one_share_of_wise_ft_is_taken(
    make: Make, train: TrainSet
) -> None:
    """The formula of arXiv 2109.01903; of several shares none can be chosen."""
    start = state_of(make("start"))
    jobs = {name: make(name, held=0, wise_ft=shares) for name, shares in WISE.items()}
    shares = {name: fit(job).interpolation for name, job in jobs.items()}
    assert shares == {"tuned": 1, "half": 0.5, "several": 1}
    tuned, half, several = (state_of(jobs[name]) for name in WISE)
    assert any(not value.equal(start[name]) for name, value in tuned.items())
    for name, value in tuned.items():
        assert several[name].equal(value)
        wanted = (start[name].double() + value.double()) / 2
        torch.testing.assert_close(half[name].double(), wanted, rtol=1e-4, atol=1e-6, msg=name)


def test_images_of_every_size_and_mode(make: Make, train: TrainSet) -> None:
    class Mixed(Spoiled):
        def open(self, image_id: str) -> Image.Image:
            number = int(image_id[1:])
            return super().open(image_id).resize((1 + 97 * number % 300, 1 + 31 * number % 200))

    source = train.images.source
    assert isinstance(source, Colours)
    assert fit(make(source=Mixed(source.levels))).steps == STEPS


def test_fewer_images_than_a_batch_are_one_step_an_epoch(make: Make) -> None:
    assert fit(make(batch_size=64)).steps == 2


def test_a_batch_without_weight_moves_nothing(make: Make, train: TrainSet) -> None:
    """All images but one weigh nothing, so that most batches have a loss and gradient of zero."""
    weights = [1.0 if place == 5 else 0.0 for place in range(COUNT)]
    records = tuple(replace(r, weight=w) for r, w in zip(train.records, weights, strict=True))
    job = make(data=replace(train, records=records), ema=0.0, weight_decay=0.0, warmup=0.0)
    fitted = fit(job)
    assert fitted.steps == STEPS
    assert all(value.isfinite().all() for value in state_of(job).values())


def test_a_loss_that_is_constant_moves_nothing(make: Make) -> None:
    """A frozen tower and a head that is right already: gradients are zero."""
    job = make(ema=0.0, weight_decay=0.0, keep="last", held=0)
    before = state_of(job)

    def constant(model: Any, pixels: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        moved = [0 * parameter.sum() for parameter in model.parameters()]
        return torch.stack(moved).sum() + 0.25

    job.task.loss = constant  # type: ignore[method-assign]  # the test's own
    fit(job)
    assert_equal(state_of(job), before)


def test_options_are_checked_before_images_are_opened(
    train: TrainSet, make_member: MakeMember, tmp_path: Path
) -> None:
    opened: list[str] = []

    class Closed(Colours):
        def open(self, image_id: str) -> Image.Image:
            opened.append(image_id)
            return super().open(image_id)

        def digest(self, image_id: str) -> str:
            return f"closed {tmp_path} {super().digest(image_id)}"

    source = coloured(COUNT).source
    assert isinstance(source, Colours)
    given = replace(train, images=Images(train.images.ids, Closed(source.levels)))
    member = make_member(epochs=1, freeze=4)
    with pytest.raises(ConfigError) as caught:
        member.prepare(given, tmp_path)
    assert caught.value.problems == ("freeze: 4, but the model has 3 layers above its embeddings",)
    with pytest.raises(ValueError, match="`batch_size` of 16 cannot be divided among 3 processes"):
        make_member(epochs=1, processes=3)
    assert opened == []
