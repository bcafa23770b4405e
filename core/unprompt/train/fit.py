"""Fitting a model: one or several processes, resumable at any moment."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from unprompt.contracts import Metrics, Progress, silent, unheard
from unprompt.errors import ConfigError
from unprompt.train import checkpoints
from unprompt.train.job import Fitted, Job
from unprompt.train.loop import Loop
from unprompt.train.metrics import METRICS, read_metrics

if TYPE_CHECKING:
    from lightning_fabric import Fabric

RESULT = "result.safetensors"


def fit(job: Job, progress: Progress = silent, metrics: Metrics = unheard) -> Fitted:
    """Fit the job's model, or go on where an interrupted attempt was.

    On the CPU the result is the same, bit for bit, however often it was interrupted. The result is
    in ``job.task.model``; checkpoints stay until whoever keeps it removes `Job.checkpoints`.

    Args:
        job: What to fit.
        progress: Shows steps, of one process.
        metrics: Hears of them.

    Raises:
        ConfigError: Checkpoints in the folder are of a fit with other options or data, or options
            do not fit model or data.
        DataError: The loss is not finite, or too many samples cannot be read.
        OutputError: A checkpoint cannot be written.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    with _quiet():
        fabric = _fabric(job)
        if job.options.processes == 1:
            fabric.launch()
            return Loop(fabric, job, progress, metrics).run()
        job.task.model.cpu()  # each process takes it to its own device
        # Not as an argument, in which Lightning looks for modules, and changes what holds them.
        fields: Any = fabric.launch(partial(_in_process, job=job))
    checkpoints.load_model(job.checkpoints / RESULT, job.task.model)
    if (path := job.folder / METRICS).is_file():
        for line in read_metrics(path):
            metrics(line.step, line.measured)
    return Fitted(**fields)


def _in_process(fabric: Fabric, job: Job) -> dict[str, Any]:
    """One of several processes; the first writes what the parent reads, and gives `Fitted`."""
    for value in (*job.task.model.parameters(), *job.task.model.buffers()):
        value.data = value.data.clone()  # the memory that it was sent in is all processes'
    with _quiet():
        fitted = Loop(fabric, job, silent, unheard).run()
    if fabric.global_rank == 0:
        position = checkpoints.Position(step=fitted.steps)
        checkpoints.save_model(job.checkpoints / RESULT, job.task.model, position)
    fabric.barrier()
    return asdict(fitted)


def _fabric(job: Job) -> Fabric:
    """Lightning's for the job's device, precision and number of processes.

    Raises:
        ConfigError: There are not as many devices as processes.
    """
    import torch
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy

    kind, _, number = job.device.partition(":")
    count = job.options.processes
    if kind == "cuda" and count > torch.cuda.device_count():
        has = torch.cuda.device_count()
        raise ConfigError(f"processes: {count}, but this machine has {has} CUDA devices")
    devices: Any = [int(number or 0)] if kind == "cuda" and count == 1 else count
    one = "auto"
    strategy: Any = DDPStrategy(start_method="spawn") if count > 1 else one
    precision: Any = "bf16-mixed" if job.precision == "bfloat16" else "32-true"
    return Fabric(
        accelerator="cuda" if kind == "cuda" else "cpu",
        devices=devices,
        strategy=strategy,
        precision=precision,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's hints, which are for scripts of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning_fabric.*")
        before = os.environ.get("POSSIBLE_USER_WARNINGS")
        os.environ["POSSIBLE_USER_WARNINGS"] = "0"
        try:
            yield
        finally:
            if before is None:
                del os.environ["POSSIBLE_USER_WARNINGS"]
            else:
                os.environ["POSSIBLE_USER_WARNINGS"] = before
