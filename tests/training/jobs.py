"""Small fits: a vision tower of three blocks with a head, on images of one colour."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch  # noqa: TID253  # every fit computes with it

from unprompt.contracts import Images, Runtime, TrainSet
from unprompt.towers import FolderSource, VisionTower
from unprompt.train import (
    Adapter,
    Criterion,
    FitOptions,
    Job,
    LinearHead,
    Pixels,
    Samples,
    build_head,
)
from unprompt.train.loss_options import Cosine
from unprompt_clip.finetune import RegressorTask

T = TypeVar("T")

TRAIN, HELD, BATCH = 24, 8, 8
STEPS = 6
"""Of two epochs."""

EVERYTHING: dict[str, Any] = {
    "augment": [{"crop": {}}, {"erase": {"probability": 0.5}}],
    "accumulate": 2,
    "ema": 0.9,
    "layer_decay": 0.7,
    "decay_to_start": 0.1,
    "wise_ft": [0.3, 0.6],
    "freeze": 0,
    "validations": 2,
}
DROPOUT: dict[str, Any] = {"adapter": Adapter(rank=2, dropout=0.5), "keep": "last"}
PLAIN: dict[str, Any] = {"ema": 0.0, "keep": "last"}


def part(train: TrainSet, first: int, end: int) -> TrainSet:
    """Some of the images of a train set."""
    ids = [record.image_id for record in train.records[first:end]]
    images, targets = train.images.select(ids), train.targets.select(ids)
    return replace(train, records=train.records[first:end], images=images, targets=targets)


def make_job(
    folder: Path,
    tower: Path,
    train: TrainSet,
    source: Any = None,
    held: int = HELD,
    adapter: Adapter | None = None,
    **more: Any,
) -> Job:
    """A fit of `TRAIN` images, ``held`` others for validation; ``more`` are options."""
    weights = {record.image_id: record.weight for record in train.records}
    if source is not None:
        train = replace(train, images=Images(train.images.ids, source))
    seen, others = part(train, 0, TRAIN), part(train, TRAIN, TRAIN + held)
    made = VisionTower(FolderSource.model_validate({"folder": str(tower)}), Runtime(), "test")
    torch.manual_seed(0)
    head = build_head(LinearHead(), made.dim, train.targets.dim)
    targets = torch.from_numpy(others.targets.rows)
    task = RegressorTask.of_tower(made, head, Criterion([Cosine()], seen), targets, adapter)
    pixels = Pixels.measured(made.transform)
    given = {"epochs": 2, "batch_size": BATCH, "learning_rate": 1e-2, **more}
    options = FitOptions.model_validate(given)
    return Job(
        name="toy",
        task=task,
        train=Samples(seen.images, made.transform, pixels, augment=options.augment),
        validation=Samples(others.images, made.transform, pixels),
        options=options,
        folder=folder,
        identity={"weights": list(weights.values())},
    )


def state_of(job: Job) -> dict[str, torch.Tensor]:
    """The result of a fit."""
    return {name: value.clone() for name, value in job.task.model.state_dict().items()}


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    """Bit for bit."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def stopping(after: int) -> Callable[..., Iterator[Any]]:
    """A progress display that is interrupted after so many steps."""

    def progress(items: Iterable[T], *, what: str, total: int | None = None) -> Iterator[T]:
        for count, item in enumerate(items, start=1):
            yield item
            if count == after * BATCH:
                raise KeyboardInterrupt

    return progress
