"""Each family on a device: the same predictions as on the CPU, and speed and memory at full size.

    python experiments/benchmarks/device.py cuda

First the small packaged towers predict painter's images on the CPU and on the device; then the
families of ensembles/strong.yaml, with random parameters of their real architecture, predict noise
of 512 pixels. Text is embedded by hashed words, so that no text encoder is in the numbers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from unprompt import Images, PredictorSpec, Runtime, TrainSet
from unprompt._members.batches import collect
from unprompt._members.dry_run import noise
from unprompt._registry.loading import load_ensemble
from unprompt._registry.parts import Member
from unprompt._registry.plugins import Registry
from unprompt.contracts import Batch
from unprompt.testing import example_train_set
from unprompt_painter.world import World

if TYPE_CHECKING:
    from PIL.Image import Image

ROOT = Path(__file__).parents[2]
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Painted:
    """Painter's images by number; an `unprompt.ImageSource`."""

    world: World

    def open(self, image_id: str) -> Image:
        """The image."""
        return self.world.image(int(image_id))

    def digest(self, image_id: str) -> str:
        """Its number, which decides all of it."""
        return image_id


@dataclass(frozen=True)
class Measured:
    """Predictions, and the seconds that they took."""

    batch: Batch
    ready: float
    predicting: float


def measured(
    registry: Registry, member: Member, train: TrainSet, images: Images, runtime: Runtime
) -> Measured:
    """One life of a member; learning and loading count as getting ready."""
    spec = registry.spec(member.part.spec.name, PredictorSpec)
    with TemporaryDirectory() as artifact:
        start = time.perf_counter()
        with closing(registry.build(spec, member.part.options, runtime)) as predictor:
            predictor.prepare(train, Path(artifact))
            predictor.load(Path(artifact))
            ready = time.perf_counter()
            batch = collect(predictor.predict(images), images.ids, train.text_encoder.dim)
            end = time.perf_counter()
    return Measured(batch, ready - start, end - ready)


def agreement(registry: Registry, device: str) -> Iterator[str]:
    """Each small tower on the device against the CPU: cosines of rows, and equal prompts."""
    train, images = example_train_set(), Images(tuple(map(str, range(64))), Painted(World(9)))
    encoder = train.text_encoder
    for member in load_ensemble(ROOT / "ensembles" / "embedded.yaml", registry).members:
        on_cpu = measured(registry, member, train, images, Runtime(text_encoder=encoder))
        for precision in PRECISIONS:
            runtime = Runtime(device=device, precision=precision, text_encoder=encoder)
            there = measured(registry, member, train, images, runtime)
            rows = (on_cpu.batch.embeddings.rows, there.batch.embeddings.rows)
            cosines = np.einsum("nd,nd->n", *rows)
            same = sum(
                a == b for a, b in zip(on_cpu.batch.prompts, there.batch.prompts, strict=True)
            )
            yield (
                f"{member.name:13} {precision:8} cosine to the CPU: least {cosines.min():.6f}, "
                f"mean {cosines.mean():.6f}; {same} of {len(images)} prompts are the same"
            )


def full_size(registry: Registry, device: str, count: int) -> Iterator[str]:
    """Each family at its real size: seconds until ready, images per second, peak memory."""
    import torch

    train = example_train_set()
    for member in load_ensemble(ROOT / "ensembles" / "strong.yaml", registry).members:
        for precision in PRECISIONS:
            runtime = Runtime(
                device=device,
                precision=precision,
                workers=14,
                offline=True,
                dry_run=True,
                text_encoder=train.text_encoder,
            )
            if device.startswith("cuda"):
                torch.cuda.reset_peak_memory_stats()
            done = measured(registry, member, train, noise(count), runtime)
            line = f"{member.name:13} {precision:8} ready in {done.ready:5.1f} s"
            line += f", {count / done.predicting:6.1f} images/s"
            if device.startswith("cuda"):
                peak = torch.cuda.max_memory_allocated() / 2**30
                line += f", at most {peak:5.2f} GiB of the device's memory"
            yield line


def main() -> None:
    """Print both tables."""
    device = sys.argv[1] if len(sys.argv) > 1 else "cuda"
    registry = Registry()
    for line in agreement(registry, device):
        print(line, flush=True)
    if device != "cpu":
        for line in full_size(registry, device, 256):
            print(line, flush=True)


if __name__ == "__main__":
    main()
