"""What a member needs, and a dry run of it with random parameters.

A dry run starts a process for each member: its peak memory is then measured alone, its towers are
freed before the next member starts, and a member that the system kills for memory is reported
instead of ending the command.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from unprompt._config.secrets import remember_options
from unprompt._members.batches import collect
from unprompt._registry.boundary import naming
from unprompt._registry.parts import Member, Part
from unprompt._registry.plugins import Registry
from unprompt._registry.tracebacks import print_failures
from unprompt.contracts import Images, Need, Record, Runtime, TextEncoder, TrainSet
from unprompt.embeddings import Embeddings, unit
from unprompt.errors import PluginFailure, UnpromptError

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Requirements:
    """What one member needs before it can run.

    Attributes:
        needs: The files that it reads, whether they exist or not.
        towers: The number of parameters of each tower.
        problem: Why the towers are unknown, if they are.
    """

    needs: tuple[Need, ...]
    towers: Mapping[str, int]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class DryRun:
    """The result of one member's dry run.

    Attributes:
        ready: Seconds to build, prepare and load the member.
        each: Seconds per image to predict.
        peak: Peak memory of the process in bytes, libraries included.
        problem: Why the member failed, if it did; the numbers may then be 0.
        answered: Images that it has an answer for; it abstained from the others.
    """

    ready: float
    each: float
    peak: int
    problem: str | None = None
    answered: int = 0


@dataclass(frozen=True, slots=True)
class Noise:
    """Images of noise, for dry runs without images; a `unprompt.contracts.ImageSource`."""

    side: int = 512

    def open(self, image_id: str) -> Image:
        """The image, with the id as its random seed."""
        from PIL import Image

        rng = np.random.default_rng(list(image_id.encode()))
        return Image.fromarray(rng.integers(0, 256, (self.side, self.side, 3), dtype=np.uint8))

    def digest(self, image_id: str) -> str:
        """A name made of size and id, which define the image."""
        return f"noise-{self.side}-{image_id}"


def noise(count: int) -> Images:
    """``count`` images of noise."""
    return Images(tuple(f"noise-{i}" for i in range(count)), Noise())


def requirements(member: Member, registry: Registry, runtime: Runtime) -> Requirements:
    """A member's files and its towers' sizes; loads no checkpoint and uses no network."""
    with closing(registry.build(member.part.spec, member.part.options, runtime)) as predictor:
        needs = tuple(predictor.needs())
        try:
            return Requirements(needs, dict(predictor.towers()))
        except PluginFailure:
            raise  # a bug, which has a traceback
        except UnpromptError as error:
            return Requirements(needs, {}, "; ".join(error.problems))


def dry_run(member: Member, text_encoder: Part, images: Images, runtime: Runtime) -> DryRun:
    """Run a member on images; its towers have their real architecture and random parameters.

    Args:
        member: The line of the ensemble.
        text_encoder: The text encoder of the ensemble.
        images: N images, at least one.
        runtime: Device, precision, batch size.
    """
    context = multiprocessing.get_context("spawn")  # a fork would share memory and threads
    receiver, sender = context.Pipe(duplex=False)
    job = (member, text_encoder, images, replace(runtime, dry_run=True, offline=True))
    child = context.Process(target=_child, args=(sender, *job))
    child.start()
    sender.close()
    try:
        result: DryRun = receiver.recv()
    except EOFError:  # it ended without sending a result
        child.join()
        result = DryRun(0.0, 0.0, 0, _ended(child.exitcode))
    except BaseException:  # such as SIGTERM, which the child does not get
        child.terminate()
        raise
    child.join()
    return result


def _ended(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return "killed by the system, most likely for memory"
    return f"ended with exit code {code}"


def _child(
    sender: Connection, member: Member, text_encoder: Part, images: Images, runtime: Runtime
) -> None:
    """Run the member in this process and send the result to the parent process."""
    import logging

    logging.disable(logging.WARNING)  # libraries warn about random parameters
    registry = Registry()
    for part in (member.part, text_encoder):
        remember_options(part.options, part.given)
    try:
        encoder: TextEncoder = registry.build(text_encoder.spec, text_encoder.options, runtime)
        result = _run(member, images, replace(runtime, text_encoder=encoder), registry)
    except UnpromptError as error:
        result = DryRun(0.0, 0.0, 0, "; ".join(error.problems))
        print_failures(error)
    sender.send(result)


def _run(member: Member, images: Images, runtime: Runtime, registry: Registry) -> DryRun:
    encoder = runtime.text_encoder
    assert encoder is not None
    start = time.perf_counter()
    predictor = registry.build(member.part.spec, member.part.options, runtime)
    with TemporaryDirectory() as artifact, closing(predictor):
        predictor.prepare(_train_set(images, encoder), Path(artifact))
        predictor.load(Path(artifact))
        loaded = time.perf_counter()
        with naming(predictor, "predict"):
            batch = collect(predictor.predict(images), images.ids, encoder.dim, reads=member.reads)
        done = time.perf_counter()
    answered = int(batch.embeddings.answered.sum())  # that rows are finite is checked by then
    each = (done - loaded) / len(images)
    return DryRun(loaded - start, each, peak_memory(), answered=answered)


def _train_set(images: Images, encoder: TextEncoder) -> TrainSet:
    """The images with made-up prompts, so that every family can be prepared."""
    records = tuple(
        Record(image_id, image_id, f"image number {i}") for i, image_id in enumerate(images.ids)
    )
    rows = unit(encoder.encode([record.prompt for record in records]))
    return TrainSet(records, images, Embeddings(images.ids, rows), encoder)


def peak_memory() -> int:
    """The peak memory of this process in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss may include memory of the parent process
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
