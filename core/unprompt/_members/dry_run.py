"""What an ensemble needs, and a dry run of its members with random parameters.

A dry run runs each member in a process of its own: its peak memory is then its own, its tower is
gone before the next one is built, and a member that the system kills for memory is a line of the
table.
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

from unprompt._members.batches import collect
from unprompt._registry.loading import Member, Part
from unprompt._registry.plugins import Registry
from unprompt.contracts import Images, Need, Record, Runtime, TextEncoder, TrainSet
from unprompt.embeddings import Embeddings, unit
from unprompt.errors import UnpromptError

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Requirements:
    """What one member needs before it can run.

    Attributes:
        needs: Its files, here or not.
        towers: Each tower's number of parameters.
        problem: Why that cannot be said, if it cannot.
    """

    needs: tuple[Need, ...]
    towers: Mapping[str, int]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class DryRun:
    """How one member did.

    Attributes:
        ready: Seconds until it could predict: building, and preparing on the same images.
        each: Seconds per image of predicting.
        peak: Bytes of memory at the highest, libraries included.
        problem: What went wrong, if something did; the numbers are then 0.
    """

    ready: float
    each: float
    peak: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Noise:
    """Images of noise, for dry runs without images; a `unprompt.contracts.ImageSource`."""

    side: int = 512

    def open(self, image_id: str) -> Image:
        """The image; the id seeds it."""
        from PIL import Image

        rng = np.random.default_rng(list(image_id.encode()))
        return Image.fromarray(rng.integers(0, 256, (self.side, self.side, 3), dtype=np.uint8))

    def digest(self, image_id: str) -> str:
        """Its id: the images never change."""
        return f"noise-{self.side}-{image_id}"


def noise(count: int) -> Images:
    """``count`` images of noise."""
    return Images(tuple(f"noise-{i}" for i in range(count)), Noise())


def requirements(member: Member, registry: Registry, runtime: Runtime) -> Requirements:
    """A member's files and sizes; loads no weights and touches no network."""
    with closing(registry.build(member.part.spec, member.part.options, runtime)) as predictor:
        needs = tuple(predictor.needs())
        try:
            return Requirements(needs, dict(predictor.towers()))
        except UnpromptError as error:
            return Requirements(needs, {}, "; ".join(error.problems))


def dry_run(member: Member, text_encoder: Part, images: Images, runtime: Runtime) -> DryRun:
    """Run a member on images, its towers at full architecture with random parameters.

    Args:
        member: The line of the ensemble.
        text_encoder: The ensemble's.
        images: N images, at least one.
        runtime: Device, precision, batch size.
    """
    context = multiprocessing.get_context("spawn")  # a fork would share memory and threads
    ours, theirs = context.Pipe(duplex=False)
    job = (member, text_encoder, images, replace(runtime, dry_run=True, offline=True))
    child = context.Process(target=_child, args=(theirs, *job))
    child.start()
    theirs.close()
    try:
        result: DryRun = ours.recv()
    except EOFError:  # it ended without a word
        child.join()
        result = DryRun(0.0, 0.0, 0, _ended(child.exitcode))
    child.join()
    return result


def _ended(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return "killed by the system, most likely for memory"
    return f"ended with exit code {code}"


def _child(
    answer: Connection, member: Member, text_encoder: Part, images: Images, runtime: Runtime
) -> None:
    """Run in this process and send the result back."""
    import logging

    logging.disable(logging.WARNING)  # libraries warn of random parameters, which are wanted here
    registry = Registry()
    try:
        encoder: TextEncoder = registry.build(text_encoder.spec, text_encoder.options, runtime)
        result = _run(member, images, replace(runtime, text_encoder=encoder), registry)
    except UnpromptError as error:
        result = DryRun(0.0, 0.0, 0, "; ".join(error.problems))
    answer.send(result)


def _run(member: Member, images: Images, runtime: Runtime, registry: Registry) -> DryRun:
    encoder = runtime.text_encoder
    assert encoder is not None
    start = time.perf_counter()
    predictor = registry.build(member.part.spec, member.part.options, runtime)
    with TemporaryDirectory() as artifact, closing(predictor):
        predictor.prepare(_train_set(images, encoder), Path(artifact))
        predictor.load(Path(artifact))
        loaded = time.perf_counter()
        batch = collect(predictor.predict(images), images.ids, encoder.dim)
        done = time.perf_counter()
    rows = batch.embeddings.rows
    problem = None if np.isfinite(rows).all() and rows.any(axis=1).all() else "rows are not finite"
    return DryRun(loaded - start, (done - loaded) / len(images), peak_memory(), problem)


def _train_set(images: Images, encoder: TextEncoder) -> TrainSet:
    """The images under made-up prompts, so that every family has something to learn."""
    records = tuple(
        Record(image_id, image_id, f"image number {i}") for i, image_id in enumerate(images.ids)
    )
    rows = unit(encoder.encode([record.prompt for record in records]))
    return TrainSet(records, images, Embeddings(images.ids, rows), encoder)


def peak_memory() -> int:
    """Bytes that this process has held at the highest."""
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss may still count what the parent held
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
