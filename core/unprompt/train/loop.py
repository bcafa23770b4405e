"""The loop of a fit, in one of its processes."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from unprompt.contracts import Metrics, Progress
from unprompt.errors import DataError, named
from unprompt.train import checkpoints
from unprompt.train.averaging import Average, copied
from unprompt.train.broken import BrokenSamples
from unprompt.train.checkpoints import Position, State
from unprompt.train.job import Fitted, Job
from unprompt.train.loader import Loader
from unprompt.train.metrics import MetricsLog
from unprompt.train.optimiser import DecayToStart, freeze, make_optimizer, make_scheduler
from unprompt.train.options import FREE
from unprompt.train.order import Rows, epoch_order, picks, share
from unprompt.train.samples import SampleBatch
from unprompt.train.step import seeded, training_step
from unprompt.train.validation import best_interpolation, first, validate

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
            ConfigError: See `unprompt.train.fit.fit`.
        """
        self.fabric, self.job, self.progress = fabric, job, progress
        options, task = job.options, job.task
        self.log = MetricsLog(job.folder, metrics) if fabric.global_rank == 0 else None
        self.start = copied(task.model) if options.wise_ft else {}
        freeze(task, options.freeze)
        if options.gradient_checkpointing:
            task.save_memory()
        self.per_epoch = len(self._batches(0))
        self.steps = self.per_epoch * options.epochs
        optimizer = make_optimizer(task, options)
        self.scheduler = make_scheduler(optimizer, options, self.steps)
        self.step, self.optimizer = self._set_up(optimizer)
        self.average = Average(task.model, options.ema)
        self.pull = DecayToStart(optimizer, options.decay_to_start)
        self.state = State(task.model, self.average.kept, optimizer, job.keyed(), FREE)
        self.broken = BrokenSamples(options.most_broken, len(job.train))
        self.position = self._resumed()
        self.began = self.saved = time.monotonic()
        self.before, self.seen = self.position.seconds, 0
        self.measured: dict[str, float] = {}

    def run(self) -> Fitted:
        """Fit, validate, and leave the result in the task's model."""
        job = self.job
        with ExitStack() as stack:
            if self.log is not None:
                stack.callback(self.log.close)
            if job.train.keep and self.position.step < self.steps:
                job.train.open_all(job.threads, self.progress)
            if self.position.step == 0:  # a fit that only makes it worse ends where it began
                self._validate()
                self._tell()
            loader = Loader(job.train, job.options.workers, threads=job.threads)
            with closing(loader):
                steps = self._taken(loader)
                for _ in self.progress(steps, what=job.name, total=self.steps - self.position.step):
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
        job, options = self.job, self.job.options
        order = epoch_order(
            len(job.train),
            options.seed,
            epoch,
            blocks=job.blocks,
            buffer=options.shuffle,
            prompts=job.prompts if options.one_per_prompt else None,
        )
        rank, world = self.fabric.global_rank, self.fabric.world_size
        return share(order, rank, world, options.batch_size)

    def _taken(self, loader: Loader) -> Iterator[int]:
        """Take every step that is left, epoch by epoch."""
        for epoch in range(self.position.step // self.per_epoch, self.job.options.epochs):
            batches = self._batches(epoch)
            done = self.position.step - epoch * self.per_epoch
            for batch in loader.batches(picks(epoch, batches[done:])):
                self._take(batch, epoch)
                ends = self.position.step % self.per_epoch == 0
                if ends or self._validation_due(epoch):
                    self._validate()
                self._tell()
                if ends or time.monotonic() - self.saved > 60 * self.job.options.checkpoint_minutes:
                    self._save()
                yield self.position.step

    def _take(self, batch: SampleBatch, epoch: int) -> None:
        """One optimiser step."""
        options, step = self.job.options, self.position.step
        for line in self.broken.add(len(batch.rows) + len(batch.broken), batch.broken):
            log.warning("%s", line)
        self.scheduler.step_update(step)
        seeded(options.seed, step, self.fabric.global_rank)
        self.step.train()
        loss = self._backward(batch, epoch >= options.epochs - options.float32_epochs)
        length = self.fabric.clip_gradients(
            self.step, self.optimizer, max_norm=options.clip or math.inf, error_if_nonfinite=False
        )
        self._check_finite({"loss": float(loss), "gradient": float(length or 0)}, batch, epoch)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.pull.step()
        self.average.update(self.job.task.model, step)
        self.position.step += 1
        self.seen += len(batch.rows) * self.fabric.world_size
        if self.position.step % LOGGED_EVERY == 0 or self.position.step in (1, self.steps):
            self.measured |= {"loss": float(loss), "gradient_length": float(length or 0)}

    def _backward(self, batch: SampleBatch, in_float32: bool) -> torch.Tensor:
        """Gradients of a batch, part by part; its loss, the mean over all processes."""
        import torch

        count = max(1, min(self.job.options.accumulate, len(batch.rows)))
        parts = zip(batch.pixels.tensor_split(count), batch.rows.tensor_split(count), strict=True)
        total = torch.zeros((), device=self.fabric.device)
        for i, (pixels, rows) in enumerate(parts):
            with self.fabric.no_backward_sync(self.step, enabled=i < count - 1):
                loss = self.step(pixels.to(self.fabric.device), rows, in_float32)
                loss = loss * (len(rows) / max(1, len(batch.rows)))
                self.fabric.backward(loss)
            total += loss.detach()
        mean: torch.Tensor = self.fabric.all_reduce(total)  # type: ignore[assignment]  # a tensor
        return mean

    def _check_finite(self, values: dict[str, float], batch: SampleBatch, epoch: int) -> None:
        """Raise DataError, with the batch's images, where loss or gradient is not finite."""
        wrong = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
        if not wrong:
            return
        last = self.job.checkpoints / checkpoints.LAST
        kept = (
            f"the checkpoint before it is kept: {last}" if last.is_file() else "no checkpoint yet"
        )
        ids = [self.job.train.images.ids[row] for row in batch.rows.tolist()]
        raise DataError(
            f"{self.job.name}: {wrong[0]} in step {self.position.step + 1} of {self.steps}, epoch "
            f"{epoch + 1}, on {named(ids)}; {kept}"
        )

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
        position.last = validate(job, model)
        self.measured |= {f"validation {name}": value for name, value in position.last.items()}
        log.info("%s: step %d of %d: %s", job.name, position.step, self.steps, position.last)
        if not position.best or first(position.last) > first(position.best):
            position.best, position.best_step = position.last, position.step
            checkpoints.save_model(job.checkpoints / checkpoints.BEST, model, position)

    def _save(self) -> None:
        """Write a checkpoint, in the first process."""
        if self.log is not None:
            self.position.seconds = self._seconds()
            self.position.broken = self.broken.state()
            checkpoints.save(self.job.checkpoints / checkpoints.LAST, self.state, self.position)
        self.saved = time.monotonic()

    def _resumed(self) -> Position:
        """Where the last attempt was, whose state model and optimiser get."""
        last = self.job.checkpoints / checkpoints.LAST
        position = checkpoints.load(last, self.state) if last.is_file() else Position()
        if position.step:
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
        part = 1.0
        if job.options.wise_ft and self.log is not None and len(job.validation):
            part, chosen = best_interpolation(job, self.start, scores)
            scores = dict(chosen)
        return Fitted(
            steps=position.step,
            scores=scores,
            best_step=step,
            interpolation=part,
            seconds=self._seconds(),
            images_per_second=self._rate(),
            attempts=position.attempts,
            broken=self.broken.reasons,
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
        """Images seen per second, in this attempt."""
        return self.seen / max(time.monotonic() - self.began, 1e-9)

    def _seconds(self) -> float:
        return self.before + time.monotonic() - self.began
