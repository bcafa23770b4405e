"""What the loop of a training costs beside the model: images a second, against a bare loop.

Trains ViT-L/14 with random parameters and a linear head, batch by batch, in two ways by turns, and
opens its images without a model:

- *loop*: `unprompt.train.fit`'s, on JPEG files: opened and preprocessed by threads or processes,
  sent in 8 bits, with broken samples counted, every step checked for NaN, and metrics written;
- *bare*: PyTorch alone, on decoded float pixels that lie on the device: the same model, loss, AdamW
  and clipping;
- *loader*: batches are opened and dropped; where this is slower than *bare*, it limits *loop*.

The first steps of each round are not counted: processes start, and batches are opened ahead.
Prints all rates of each round, the median of the ratios of *loop* to *bare*, and the loop's
floating-point operations as a share of those of a matrix product in the same time, as measured
here; on the CPU also by processor time, which other programs on the machine change less. 8 minutes
and 8 GB of memory on two idle cores, 5 minutes on an H100 (whose defaults are others)::

    python experiments/benchmarks/training.py [--device cuda] [--workers 8] [--rounds 3]
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: TID253  # it computes all the time
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode  # noqa: TID253

from unprompt._data.images import Files
from unprompt.contracts import Images, silent, unheard
from unprompt.towers.architectures import CLIP_MEAN, CLIP_STD, CLIP_VISION
from unprompt.towers.sources import PreprocessConfig
from unprompt.train import FitOptions, Job, Pixels, Samples, Task
from unprompt.train.fitting import _fabric, _quiet
from unprompt.train.loader import Loader
from unprompt.train.loop import Loop
from unprompt.train.opening import processes_that_open
from unprompt.train.order import picks
from unprompt.train.samples import SampleBatch

SIDE, DIM = 224, 384
STORED, FILES = 512, 1024  # side and number of the JPEG files, which are opened again and again
CLIP, RATE = 1.0, 1e-5
LARGE = "openai/clip-vit-large-patch14"


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--model", choices=sorted(CLIP_VISION), default=LARGE)
    parser.add_argument("--layers", type=int, help="fewer blocks, to try this file")
    parser.add_argument("--batch", type=int, help="images of a step; 4, on a GPU 128")
    parser.add_argument("--steps", type=int, help="that are counted in a round; 3, on a GPU 100")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, help="processes that open images; as in YAML")
    parser.add_argument("--threads", type=int, default=2, help="that open them otherwise")
    given = parser.parse_args()
    batch, steps, first = (4, 3, 1) if given.device == "cpu" else (128, 100, 10)
    given.batch, given.steps = given.batch or batch, given.steps or steps
    given.first = 10 if given.workers else first  # steps that are not counted
    with tempfile.TemporaryDirectory() as scratch:
        _measure(given, Path(scratch))


def _measure(given: argparse.Namespace, scratch: Path) -> None:
    count = given.batch * (given.first + given.steps)
    images = _images(scratch / "images", count)
    task = Regressor(given.model, given.layers, count)
    task.model.to(given.device)
    operations = _operations(task, given)
    job = partial(_job, task, images, given, scratch)
    ways: dict[str, Callable[[], Rates]] = {
        "loop": lambda: _loop(job(), given),
        "bare": lambda: _bare(task, given),
        "loader": lambda: _loader(job(), given),
    }
    rates: dict[str, list[Rates]] = {name: [] for name in ways}
    for number in range(given.rounds):
        for name in sorted(ways, reverse=bool(number % 2)):
            gc.collect()  # the optimiser of the round before, which has twice the model's size
            rates[name].append(ways[name]())
            print(f"round {number + 1}: {name} {rates[name][-1]}", flush=True)
    parameters = sum(value.numel() for value in task.model.parameters())
    processes = processes_that_open(job(), count)
    print(
        f"{_device(given.device)}, {given.precision}, {parameters / 1e6:.1f} M parameters, batches "
        f"of {given.batch}; {operations / 1e9:.0f} GFLOP an image; opened by "
        + (f"{processes} processes" if processes else f"{given.threads} threads")
    )
    for kind in ("wall", "processor") if given.device == "cpu" else ("wall",):
        own = {name: [getattr(rate, kind) for rate in rates[name]] for name in rates}
        loop, loader = (statistics.median(own[name]) for name in ("loop", "loader"))
        ratio = statistics.median(a / b for a, b in zip(own["loop"], own["bare"], strict=True))
        product = getattr(_product(given), kind)
        print(
            f"by {kind} time: {loop:.3f} images/s, {ratio:.3f} of the bare loop's; "
            f"{loop * operations / product:.1%} of the {product / 1e12:.3f} TFLOP/s of a matrix "
            f"product; {loader:.0f} images/s are opened without a model"
        )


@dataclass(frozen=True, slots=True)
class Rates:
    """A second of the clock, and of all processors together: others may use them, too."""

    wall: float
    processor: float

    def __str__(self) -> str:
        """Both, of images."""
        return f"{self.wall:.3f} images/s, {self.processor:.3f} a second of processor time"


class Regressor(Task):
    """A CLIP vision tower with a linear head, and 1 - cosine to random targets."""

    pixels: Pixels

    def __init__(self, name: str, layers: int | None, count: int) -> None:
        """Build it; there are targets for ``count`` images."""
        from transformers import CLIPVisionConfig, CLIPVisionModel

        torch.manual_seed(0)
        sizes = {**CLIP_VISION[name], "hidden_act": "quick_gelu"}
        config = CLIPVisionConfig(**(sizes | ({"num_hidden_layers": layers} if layers else {})))
        head = torch.nn.Linear(config.hidden_size, DIM)
        self.model = torch.nn.ModuleDict({"tower": CLIPVisionModel(config), "head": head})
        self.pixels = Pixels(SIDE, CLIP_MEAN, CLIP_STD)
        self.targets = torch.randn(count, DIM)

    def loss(self, model: torch.nn.Module, pixels: torch.Tensor, rows: torch.Tensor) -> Any:
        """See `Task.loss`."""
        features = model.get_submodule("tower")(pixel_values=pixels).pooler_output
        predicted = model.get_submodule("head")(features).float()
        targets = self.targets[rows].to(pixels.device)
        return (1 - torch.cosine_similarity(predicted, targets)).mean()

    def score(self, model: torch.nn.Module, batches: Any) -> dict[str, float]:
        """There are no validation images."""
        raise NotImplementedError


def _images(folder: Path, count: int) -> Images:
    """Smooth noise, as JPEG files."""
    folder.mkdir()

    def write(number: int) -> None:
        rng = np.random.default_rng(number)
        small = Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8))
        small.resize((STORED,) * 2, Image.Resampling.BICUBIC).save(folder / f"{number}.jpg")

    list(ThreadPoolExecutor().map(write, range(min(count, FILES))))
    paths = {str(number): folder / f"{number % FILES}.jpg" for number in range(count)}
    return Images(tuple(paths), Files(paths))


class Unsaved(Loop):
    """The loop, but for its checkpoints (3.6 GB at the end of each round), and its first steps."""

    first, processor_began, processor_seconds = 0, 0.0, 0.0

    def _save(self) -> None:
        return

    def _take(self, batch: SampleBatch, epoch: int) -> None:
        if self.position.step == self.first:
            _wait(self.fabric.device)
            self.seen, self.busy, self.processor_began = 0, 0.0, time.process_time()
        super()._take(batch, epoch)
        self.processor_seconds = time.process_time() - self.processor_began


def _job(task: Regressor, images: Images, given: argparse.Namespace, scratch: Path) -> Job:
    """The fit of a round."""
    preprocess = PreprocessConfig(size=SIDE, mean=CLIP_MEAN, std=CLIP_STD).transform()
    same: dict[str, Any] = {"learning_rate": RATE, "schedule": "constant", "warmup": 0.0}
    same |= {"epochs": 1, "batch_size": given.batch, "clip": CLIP, "ema": 0.0}
    return Job(
        name="benchmark",
        task=task,
        train=Samples(images, preprocess, task.pixels),
        validation=Samples(images.select([]), preprocess, task.pixels),
        options=FitOptions(workers=given.workers, **same),
        folder=scratch / f"fit-{time.monotonic_ns()}",
        device=given.device,
        precision=given.precision,
        threads=given.threads,
    )


def _loop(job: Job, given: argparse.Namespace) -> Rates:
    """Images a second of the loop."""
    with _quiet():
        fabric = _fabric(job)
        fabric.launch()
        loop = Unsaved(fabric, job, silent, unheard)
        loop.first = given.first
        fitted = loop.run()
    return Rates(fitted.images_per_second, given.batch * given.steps / loop.processor_seconds)


def _loader(job: Job, given: argparse.Namespace) -> Rates:
    """Images a second that are opened for nobody; processor time is that of this process."""
    processes = processes_that_open(job, len(job.train))
    pin, began, processor = given.device.startswith("cuda"), 0.0, 0.0
    with closing(Loader(job.train, processes, threads=given.threads, pin=pin)) as loader:
        for step, _ in enumerate(loader.batches(picks(0, job.batches(0, 0, 1)))):
            if step == given.first - 1:
                began, processor = time.monotonic(), time.process_time()
    count, seconds = given.batch * given.steps, time.process_time() - processor
    return Rates(count / (time.monotonic() - began), count / seconds)


def _bare(task: Regressor, given: argparse.Namespace) -> Rates:
    """Images a second of PyTorch alone."""
    model, device = task.model, torch.device(given.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.05)
    model.train()
    began = processor = 0.0
    for step, (pixels, rows) in enumerate(_decoded(given)):
        if step == given.first:
            _wait(device)
            began, processor = time.monotonic(), time.process_time()
        with _autocast(given):
            loss = task.loss(model, pixels, rows)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    _wait(device)
    count, seconds = given.batch * given.steps, time.process_time() - processor
    return Rates(count / (time.monotonic() - began), count / seconds)


def _decoded(given: argparse.Namespace) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    pixels = torch.randn((given.batch, 3, SIDE, SIDE), device=given.device)
    for step in range(given.first + given.steps):
        yield pixels, torch.arange(given.batch) + step * given.batch


def _operations(task: Regressor, given: argparse.Namespace) -> float:
    """Floating-point operations of an image, forward and backward."""
    pixels, rows = next(_decoded(given))
    with FlopCounterMode(display=False) as counter:
        task.loss(task.model, pixels[:1], rows[:1]).backward()
    task.model.zero_grad(set_to_none=True)
    return float(counter.get_total_flops())


def _product(given: argparse.Namespace) -> Rates:
    """Operations a second of a product of two large matrices: the best of six."""
    on_cpu = given.device == "cpu"
    side, device = (2048 if on_cpu else 8192), torch.device(given.device)
    one, other = (torch.randn(side, side, device=device) for _ in range(2))
    if given.precision == "bfloat16":
        one, other = one.bfloat16(), other.bfloat16()
    wall, processor = 0.0, 0.0
    for _ in range(6):
        _wait(device)
        began, own = time.monotonic(), time.process_time()
        torch.mm(one, other)
        _wait(device)
        wall = max(wall, 2 * side**3 / (time.monotonic() - began))
        processor = max(processor, 2 * side**3 / (time.process_time() - own))
    return Rates(wall, processor)


def _autocast(given: argparse.Namespace) -> torch.autocast:
    kind = torch.device(given.device).type
    return torch.autocast(kind, torch.bfloat16, enabled=given.precision == "bfloat16")


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _device(name: str) -> str:
    if name.startswith("cuda"):
        return str(torch.cuda.get_device_name(name))
    return f"CPU with {torch.get_num_threads()} threads"


if __name__ == "__main__":
    main()
