"""Fitting a model: one or several processes, resumable at any moment."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from unprompt.contracts import Metrics, Progress, silent, unheard
from unprompt.errors import ConfigError
from unprompt.train import checkpoints
from unprompt.train.alone import alone_in
from unprompt.train.channel import Channel
from unprompt.train.job import Fitted, Job
from unprompt.train.loop import Loop
from unprompt.train.optimiser import check_freeze
from unprompt.train.options import FitOptions
from unprompt.train.processes import run_together

if TYPE_CHECKING:
    from lightning_fabric import Fabric

RESULT = "result.safetensors"
PATIENCE = timedelta(days=30)


def fit(job: Job, progress: Progress = silent, metrics: Metrics = unheard) -> Fitted:
    """Fit the job's model, or go on where an interrupted attempt was.

    A model with adapters is a plain one at the end, whose parameters have changed. `wise_ft`
    interpolates those, not the adapters' own, whose product is what counts.

    On the CPU the result is the same, bit for bit, however often it was interrupted. The result is
    in ``job.task.model``; checkpoints stay until whoever keeps it removes `Job.checkpoints`.

    Several processes see the batches that one sees, each its part. Their sums are rounded in
    another order; batch normalisation and contrasts are within each process's part.

    Args:
        job: What to fit.
        progress: Shows images, or what else is opened.
        metrics: Hears of steps.

    Raises:
        ConfigError: Checkpoints in the folder are of a fit with other options or data, or options
            do not fit model or data.
        DataError: The loss is not finite, too many samples cannot be read, a checkpoint is
            damaged, or a process was killed.
        OutputError: A checkpoint cannot be written, or another process trains in the folder.
    """
    count = job.options.processes
    check_fit(job.options, job.device, lambda: job.task.depths)
    with alone_in(job.folder):
        if count == 1:
            return _alone(job, progress, metrics)
        job.task.model.cpu()  # each process takes it to its own device
        work = partial(_in_process, job=job, port=_free_port())
        fitted: Fitted = run_together(count, work, progress, metrics)
        job.task.merge()  # as each process did, so that parameters have the result's names
        checkpoints.load_model(job.checkpoints / RESULT, job.task.model)
        return fitted


def _alone(job: Job, progress: Progress, metrics: Metrics) -> Fitted:
    with _quiet():
        fabric = _fabric(job)
        fabric.launch()
        return Loop(fabric, job, progress, metrics).run()


def _in_process(rank: int, channel: Channel, job: Job, port: int) -> Fitted:
    """One of several processes; the first writes what the parent reads, and gives `Fitted`."""
    import torch.distributed

    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
    with _quiet():
        fabric = _fabric(job)
        fabric.launch()
        progress = channel.progress if rank == 0 else silent
        fitted = Loop(fabric, job, progress, channel.metrics).run()
    if rank == 0:
        position = checkpoints.Position(step=fitted.steps)
        checkpoints.save_model(job.checkpoints / RESULT, job.task.model, position)
    fabric.barrier()
    torch.distributed.destroy_process_group()
    return fitted


def check_fit(options: FitOptions, device: str, depths: Callable[[], int]) -> None:
    """Check options that the model or the machine may not fit, before images are opened.

    Args:
        options: Of the fit.
        device: A torch device.
        depths: Gives `Task.depths`; called where options need them.

    Raises:
        ConfigError: The model has fewer layers than are frozen, or does not say its layers; or
            there are fewer devices than processes.
    """
    import torch

    if options.freeze is not None or options.layer_decay < 1:
        check_freeze(options.freeze, depths())
    count = torch.cuda.device_count() if device.startswith("cuda") else options.processes
    if options.processes > max(1, count):
        raise ConfigError(
            f"processes: {options.processes}, but this machine has {count} CUDA devices"
        )


def _fabric(job: Job) -> Fabric:
    """Lightning's for the job's device, precision and number of processes."""
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy

    kind, _, number = job.device.partition(":")
    count = job.options.processes
    devices: Any = [int(number or 0)] if kind == "cuda" and count == 1 else count
    strategy: Any = "auto"
    if count > 1:
        # The first process scores and saves while others wait; who waits for a dead one is ended.
        strategy = DDPStrategy(timeout=PATIENCE, find_unused_parameters=True)
    precision: Any = "bf16-mixed" if job.precision == "bfloat16" else "32-true"
    return Fabric(
        accelerator="cuda" if kind == "cuda" else "cpu",
        devices=devices,
        strategy=strategy,
        precision=precision,
        plugins=[LightningEnvironment()],  # whatever job manager this runs under
    )


def _free_port() -> int:
    """A port of this machine at which processes meet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's hints, which are for scripts of its own."""
    import lightning_fabric  # noqa: F401  # sets the level of its log

    logger = logging.getLogger("lightning_fabric")
    level, before = logger.level, os.environ.get("POSSIBLE_USER_WARNINGS")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning_fabric.*")
        os.environ["POSSIBLE_USER_WARNINGS"] = "0"
        logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            logger.setLevel(level)
            if before is None:
                del os.environ["POSSIBLE_USER_WARNINGS"]
            else:
                os.environ["POSSIBLE_USER_WARNINGS"] = before
