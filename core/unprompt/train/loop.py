"""The loop of a fit, in one of its processes."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from unprompt.contracts import Metrics, Progress
from unprompt.train import checkpoints
from unprompt.train.averaging import Average
from unprompt.train.broken import BrokenSamples
from unprompt.train.checking import Checks, Taken
from unprompt.train.checkpoints import Position, State
from unprompt.train.global_batch import balance, not_finite
from unprompt.train.job import Fitted, Job
from unprompt.train.keeping import open_all
from unprompt.train.loader import Loader
from unprompt.train.metrics import MetricsLog
from unprompt.train.opening import processes_that_open
from unprompt.train.optimiser import DecayToStart, freeze, make_optimizer, make_scheduler
from unprompt.train.options import FREE
from unprompt.train.order import Rows, picks
from unprompt.train.samples import SampleBatch
from unprompt.train.step import seeded, training_step
from unprompt.train.stopping import saying_when_stopped
from unprompt.train.validation import Validation, best_interpolation, in_words, is_better

if TYPE_CHECKING:
    import torch
    from lightning_fabric import Fabric

log = logging.getLogger(__name__)

LOGGED_EVERY = 10
"""Steps between two lines of metrics."""


class Loop:
    """A job in one process of its fabric: built from random seeds and checkpoints, then run."""

    def __init__(self, fabric: Fabric, job: Job, progress: Progress, metrics: Metrics) -> None:
        """Put model and optimiser on the device, and fill them from the last checkpoint.

        Raises:
            ConfigError: See `unprompt.train.fitting.fit`.
        """
        self.fabric, self.job, self.progress = fabric, job, progress
        options, task = job.options, job.task
        self.log = MetricsLog(job.folder, metrics) if fabric.global_rank == 0 else None
        self.start = task.start() if options.wise_ft else {}
        freeze(task, options.freeze)
        if options.gradient_checkpointing:
            task.save_memory()
        first = self._batches(0)
        self.per_epoch = len(first)
        self.batch_size = len(first[0]) * fabric.world_size
        self.steps = self.per_epoch * options.epochs
        optimizer = make_optimizer(task, options)
        self.scheduler = make_scheduler(optimizer, options, self.steps)
        self.step, self.optimizer = self._set_up(optimizer)
        self.average = Average(task.model, options.ema)
        self.pull = DecayToStart(optimizer, options.decay_to_start)
        self.state = State(task.model, self.average.kept, optimizer, job.keyed(), FREE)
        self.broken = BrokenSamples(options.most_broken, len(job.train))
        self.validation = Validation(job)
        self.position = self._resumed()
        self.began = self.saved = time.monotonic()
        self.before, self.saved_step = self.position.seconds, self.position.step
        self.seen, self.busy = 0, 0.0
        # Several processes have to fail at the same step, whichever of them saves at it.
        self.checks = Checks(late=fabric.device.type == "cuda" and fabric.world_size == 1)
        self.measured: dict[str, float] = {}

    def run(self) -> Fitted:
        """Fit, validate, and leave the result in the task's model."""
        job = self.job
        with ExitStack() as stack:
            if self.log is not None:
                stack.callback(self.log.close)
            if self.position.step < self.steps:
                processes = processes_that_open(job, len(job.train), ahead=True)
                open_all(job.train, processes, job.threads, self.progress)
            if self.position.step == 0:  # a fit that only makes it worse ends where it began
                self._validate()
                self._tell()
            ahead = (self.steps - self.position.step) * self.batch_size
            processes = processes_that_open(job, ahead // self.fabric.world_size)
            pin = self.fabric.device.type == "cuda"
            loading = closing(Loader(job.train, processes, threads=job.threads, pin=pin))
            with saying_when_stopped(self._stopped), loading as loader:
                images = self._taken(loader)
                for _ in self.progress(images, what=f"{job.name}: images", total=ahead):
                    pass
            return self._finished()

    def _set_up(self, optimizer: torch.optim.Optimizer) -> tuple[Any, Any]:
        """Step and optimiser as Lightning wraps them: device, precision, processes."""
        import torch

        # The layout in which convolutions are fast on processors.
        self.job.task.model.to(memory_format=torch.channels_last)
        step: Any = training_step(self.job.task)
        if self.job.options.compile:
            step = torch.compile(step)
        step, wrapped = self.fabric.setup(step, optimizer)
        return step, wrapped

    def _batches(self, epoch: int) -> list[Rows]:
        """This process's part of an epoch's batches."""
        return self.job.batches(epoch, self.fabric.global_rank, self.fabric.world_size)

    def _taken(self, loader: Loader) -> Iterator[int]:
        """Take every step that is left, epoch by epoch; gives each image of each."""
        interval = 60 * self.job.options.checkpoint_minutes
        for epoch in range(self.position.step // self.per_epoch, self.job.options.epochs):
            batches = self._batches(epoch)
            done = self.position.step - epoch * self.per_epoch
            began = time.monotonic()
            for batch in loader.batches(picks(epoch, batches[done:])):
                self._take(batch, epoch)
                ends = self.position.step % self.per_epoch == 0
                validates = ends or self._validation_due(epoch)
                saves = ends or time.monotonic() - self.saved > interval
                if validates or saves or self._is_logged(self.position.step):
                    self._look(self.checks.all())  # nothing of a step that failed is kept
                self.busy += time.monotonic() - began
                if validates:
                    self._validate()
                self._tell()
                if saves:
                    self._save()
                yield from range(self.batch_size)
                began = time.monotonic()

    def _take(self, batch: SampleBatch, epoch: int) -> None:
        """One optimiser step."""
        import torch

        options, step = self.job.options, self.position.step
        broken, factor = balance(self.fabric, batch)
        for line in self.broken.add(self.batch_size, broken):
            if self.log is not None:
                log.warning("%s", line)
        self.scheduler.step_update(step)
        seeded(options.seed, step, self.fabric.global_rank)
        self.step.train()
        loss = self._backward(batch, factor, epoch >= options.epochs - options.float32_epochs)
        length = self.fabric.clip_gradients(
            self.step, self.optimizer, max_norm=options.clip or math.inf, error_if_nonfinite=False
        )
        none = torch.zeros((), device=self.fabric.device)
        measured = {"loss": loss, "gradient_length": none if length is None else length}
        self.checks.add(step, epoch, batch.rows, measured)
        self._look(self.checks.ready())
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.pull.step()
        self.average.update(self.job.task.model, step)
        self.position.step += 1
        self.seen += self.batch_size - len(broken)

    def _look(self, steps: Iterable[Taken]) -> None:
        """Raise DataError where numbers are not finite; keep those that are logged."""
        for taken in steps:
            if not taken.is_finite:  # in all processes, or in none
                ids = [self.job.train.images.ids[row] for row in taken.rows.tolist()]
                step, epoch = taken.step + 1, taken.epoch + 1
                where = f"{self.job.name}: step {step} of {self.steps}, epoch {epoch}"
                kept = checkpoints.kept(self.job.checkpoints, self.saved_step)
                raise not_finite(taken.values, ids, self.fabric, where, kept)
            if self._is_logged(taken.step + 1):
                self.measured |= taken.values

    def _is_logged(self, step: int) -> bool:
        """Whether there is a line of metrics for this step."""
        return step % LOGGED_EVERY == 0 or step in (1, self.steps)

    def _backward(self, batch: SampleBatch, factor: float, in_float32: bool) -> torch.Tensor:
        """Gradients of a batch, part by part; its loss, the mean over all processes.

        Args:
            batch: This process's part.
            factor: See `balance`.
            in_float32: Whether to compute in float32, whatever the precision is.
        """
        import torch

        count = max(1, min(self.job.options.accumulate, len(batch.rows)))
        parts = zip(batch.pixels.tensor_split(count), batch.rows.tensor_split(count), strict=True)
        total = torch.zeros((), device=self.fabric.device)
        for i, (pixels, rows) in enumerate(parts):
            with self.fabric.no_backward_sync(self.step, enabled=i < count - 1):
                on_device = pixels.to(self.fabric.device, non_blocking=True)
                loss = self.step(on_device, rows, in_float32)
                loss = loss * (factor * len(rows) / max(1, len(batch.rows)))
                self.fabric.backward(loss)
            total += loss.detach()
        mean: torch.Tensor = self.fabric.all_reduce(total)  # type: ignore[assignment]  # a tensor
        return mean

    def _stopped(self) -> str:
        """What Ctrl-C or a signal has stopped; nothing but in the first process."""
        if self.log is None:
            return ""
        kept = checkpoints.kept(self.job.checkpoints, self.saved_step)
        on = "; the same command goes on from it" if self.saved_step else ""
        at = "at " if self.position.step else ""
        return f"{self.job.name}: stopped {at}{self._where()}: {kept}{on}"

    def _validation_due(self, epoch: int) -> bool:
        """Whether a validation inside the epoch comes after this step."""
        wanted, step = self.job.options.validations, self.position.step - epoch * self.per_epoch
        return step in {round(self.per_epoch * i / wanted) for i in range(1, wanted)}

    def _validate(self) -> None:
        """Score the validation samples, in the first process; the best parameters are kept."""
        position, job = self.position, self.job
        if self.log is None or not len(job.validation):
            return
        model = self.average.module(job.task.model)
        position.last = self.validation.scores(model)
        self.measured |= {f"validation {name}": value for name, value in position.last.items()}
        log.info("%s: %s: validation %s", job.name, self._where(), in_words(position.last))
        if is_better(position.last, position.best):
            position.best, position.best_step = position.last, position.step
            checkpoints.save_model(job.checkpoints / checkpoints.BEST, model, position)

    def _save(self) -> None:
        """Write a checkpoint, in the first process."""
        if self.log is not None:
            self.position.seconds = self._seconds()
            self.position.broken = self.broken.state()
            checkpoints.save(self.job.checkpoints / checkpoints.LAST, self.state, self.position)
        self.saved, self.saved_step = time.monotonic(), self.position.step

    def _where(self) -> str:
        """This step, for people."""
        step = self.position.step
        if not step:
            return "before the first step"
        return f"step {step} of {self.steps}, epoch {math.ceil(step / self.per_epoch)}"

    def _resumed(self) -> Position:
        """Where the last attempt was, whose state model and optimiser get."""
        position = checkpoints.resume(self.job.checkpoints, self.state)
        if position.step and self.log is not None:
            log.info("%s: going on at step %d of %d", self.job.name, position.step, self.steps)
        if position.broken:
            self.broken.restore(position.broken)
        position.attempts += 1
        if self.log is not None:
            self.log.resume(position.step)
        return position

    def _finished(self) -> Fitted:
        """The result, in the task's model."""
        job, position = self.job, self.position
        scores, step = position.last, position.step
        if job.options.keep == "best" and position.best:
            scores, step = position.best, position.best_step
            checkpoints.load_model(job.checkpoints / checkpoints.BEST, job.task.model)
        else:
            self.average.give(job.task.model)
        job.task.merge()
        part = 1.0
        if job.options.wise_ft and self.log is not None:
            part, chosen = best_interpolation(job, self.start, scores, self.validation)
            scores = dict(chosen)
        return Fitted(
            steps=position.step,
            scores=scores,
            best_step=step,
            interpolation=part,
            seconds=self._seconds(),
            images_per_second=self._rate(),
            attempts=position.attempts,
            broken={**self.broken.reasons, **self.validation.broken},
        )

    def _tell(self) -> None:
        """A line of metrics, where this step has any."""
        if self.log is None or not self.measured:
            return
        step = self.position.step
        # Groups of layers may have lower rates; the highest is the schedule's.
        learning_rate = max(group["lr"] for group in self.optimizer.param_groups)
        also = {"learning_rate": float(learning_rate), "images_per_second": self._rate()}
        self.log.log(step, step / self.per_epoch, self.measured | also)
        self.measured = {}

    def _rate(self) -> float:
        """Images per second of the steps of this attempt, without validations and checkpoints."""
        return self.seen / max(self.busy, 1e-9)

    def _seconds(self) -> float:
        return self.before + time.monotonic() - self.began
