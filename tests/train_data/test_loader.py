"""Batches of samples: the same from threads, processes and memory, broken ones apart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from unprompt._data.images import Files
from unprompt.contracts import Images
from unprompt.errors import DataError
from unprompt.towers.sources import PreprocessConfig
from unprompt.train.augment import Step
from unprompt.train.broken import Broken
from unprompt.train.keeping import open_all
from unprompt.train.loader import Loader, loader
from unprompt.train.order import epoch_order, picks, share
from unprompt.train.pixels import Pixels
from unprompt.train.samples import SampleBatch, Samples

from .conftest import noise
from .test_augment import steps

SIDE = 16
COUNT = 14
BROKEN = (3, 8)


@pytest.fixture(scope="module")
def preprocess() -> Callable[[Image.Image], Any]:
    return PreprocessConfig(size=SIDE, mean=(0.5,) * 3, std=(0.25,) * 3).transform()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """Files of several sizes and modes; some are cut, one is empty."""
    folder = tmp_path_factory.mktemp("images")
    paths = {}
    for row in range(COUNT):
        path = paths[f"image-{row}"] = folder / f"{row}.png"
        noise(row, 20 + 7 * row, 30).convert("L" if row % 2 else "RGB").save(path)
    whole = paths["image-3"].read_bytes()
    paths["image-3"].write_bytes(whole[: len(whole) // 2])
    paths["image-8"].write_bytes(b"")
    return Images(tuple(paths), Files(paths))


@pytest.fixture(scope="module")
def make(images: Images, preprocess: Callable[[Image.Image], Any]) -> Callable[..., Samples]:
    def make(*augment: object, keep: bool = False) -> Samples:
        pixels = Pixels.measured(preprocess)
        chosen: tuple[Step, ...] = steps(*augment)
        return Samples(images, preprocess, pixels, seed=4, augment=chosen, keep=keep)

    return make


def epochs(count: int) -> list[list[tuple[int, int]]]:
    orders = [epoch_order(COUNT, 0, epoch) for epoch in range(count)]
    return [batch for e, order in enumerate(orders) for batch in picks(e, share(order, 0, 1, 4))]


def same(first: SampleBatch, second: SampleBatch) -> bool:
    import torch

    return (
        torch.equal(first.pixels, second.pixels)
        and torch.equal(first.rows, second.rows)
        and first.broken == second.broken
    )


def test_processes_threads_and_memory_give_the_same(make: Callable[..., Samples]) -> None:
    import torch

    every = ("crop", "erase", "colour", "shift", "hflip")
    before = torch.get_rng_state()
    asked = epochs(2)
    alone = list(loader(make(*every), asked, 0))
    kept = Loader(make(*every, keep=True), 0, threads=3)
    by_processes = Loader(make(*every), 2)
    half = len(asked) // 2
    try:
        remote = [*by_processes.batches(asked[:half]), *by_processes.batches(asked[half:])]
    finally:
        by_processes.close()
    assert torch.equal(torch.get_rng_state(), before), "a model's chance is left alone"
    assert len(alone) == len(remote) == len(asked)
    assert all(map(same, alone, remote))
    assert all(map(same, alone, kept.batches(asked)))
    assert all(map(same, alone, kept.batches(asked))), "from memory"
    assert {item.image_id for batch in alone for item in batch.broken} == {"image-3", "image-8"}


def test_a_sample_is_the_preprocessed_image(
    make: Callable[..., Samples], images: Images, preprocess: Callable[[Image.Image], Any]
) -> None:
    import torch

    samples = make()
    for row in (0, 1, 5):
        made = samples[0, row]
        assert isinstance(made, torch.Tensor)
        wanted = preprocess(images.open(f"image-{row}"))
        again = samples.opener.pixels.normalise(made[None])[0]
        torch.testing.assert_close(again, wanted, rtol=0, atol=1e-6)


def test_epochs_augment_differently(make: Callable[..., Samples]) -> None:
    samples = make("colour")
    seen = {tuple(samples[epoch, 0].flatten().tolist()) for epoch in (0, 1, 2, 1)}  # type: ignore[union-attr]  # it is whole
    assert len(seen) == 3


def test_a_batch_leaves_broken_samples_out(make: Callable[..., Samples]) -> None:
    (batch,) = loader(make(), [[(0, 2), (0, 3), (0, 4), (0, 8)]], 0)
    assert batch.rows.tolist() == [2, 4]
    assert tuple(batch.pixels.shape) == (2, 3, SIDE, SIDE)
    cut, empty = batch.broken
    assert (cut.image_id, empty.image_id) == ("image-3", "image-8")
    assert "3.png: cannot be read as an image: " in cut.reason
    assert "the file is empty" in empty.reason


def test_a_batch_of_broken_samples_is_empty(make: Callable[..., Samples]) -> None:
    (batch,) = loader(make(), [[(0, row) for row in BROKEN]], 0)
    assert tuple(batch.pixels.shape) == (0, 3, SIDE, SIDE)
    assert batch.rows.tolist() == []


@pytest.mark.parametrize("workers", [0, 2])
def test_images_in_memory_are_opened_once(
    make: Callable[..., Samples], monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    samples = make(keep=True)
    shown: list[int] = []

    def progress(items: Any, *, what: str, total: int | None = None) -> Iterator[Any]:
        assert (what, total) == ("open images", COUNT)
        for item in items:
            shown.append(1)
            yield item

    broken = open_all(samples, workers, 2, progress)
    assert [item.image_id for item in broken] == ["image-3", "image-8"]
    assert len(shown) == COUNT
    monkeypatch.setattr(Files, "open", lambda *_: pytest.fail("opened again"))
    (batch,) = loader(samples, [[(0, row) for row in range(COUNT)]], 0)
    assert batch.rows.tolist() == [row for row in range(COUNT) if row not in BROKEN]
    assert batch.broken == tuple(broken)
    monkeypatch.undo()
    (passing,) = loader(make(), [[(0, row) for row in range(COUNT)]], 0)
    assert batch.pixels.equal(passing.pixels)


def test_threads_that_come_first_together_keep_images_in_one_place(
    make: Callable[..., Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    made: list[Any] = []
    honest = torch.empty

    def slow(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.05)  # the others come meanwhile
        made.append(honest(*args, **kwargs))
        return made[-1]

    samples = make(keep=True)
    monkeypatch.setattr(torch, "empty", slow)
    list(Loader(samples, 0, threads=8).batches([[(0, row) for row in range(COUNT)]]))
    assert len([kept for kept in made if len(kept) == COUNT]) == 1


def test_images_are_opened_on_one_core_each_and_the_model_keeps_its_own(
    make: Callable[..., Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    seen, honest = [], Samples.__getitem__

    def noting(self: Samples, pick: tuple[int, int]) -> Any:
        seen.append(torch.get_num_threads())
        return honest(self, pick)

    monkeypatch.setattr(Samples, "__getitem__", noting)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for _ in loader(make(), epochs(1), 0):
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == 3
        later: list[int] = []
        thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert later == [3], "a thread that begins afterwards"
    finally:
        torch.set_num_threads(before)
    assert seen == [1] * (COUNT // 4 * 4)


def test_kept_images_are_no_work_for_each_of_them(
    make: Callable[..., Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, alone = make("crop", "shift", keep=True), make("crop", "shift")
    open_all(samples, 0, 2)
    asked = epochs(1)
    wanted = list(loader(alone, asked, 0))
    monkeypatch.setattr(Samples, "__getitem__", lambda *_: pytest.fail("asked for one image"))
    assert all(map(same, wanted, loader(samples, asked, 0)))


def test_a_mistake_in_a_source_is_no_broken_sample(make: Callable[..., Samples]) -> None:
    samples = make()
    with pytest.raises(IndexError):
        list(loader(samples, [[(0, COUNT)]], 0))


def test_what_gives_up_early_leaves_no_thread(make: Callable[..., Samples]) -> None:
    given = loader(make(), epochs(3), 0)
    next(given)
    given.close()  # type: ignore[attr-defined]  # a generator
    assert not [t for t in threading.enumerate() if t.name.startswith("open-images")]


@dataclass
class Local:
    """A source that no process can be sent."""

    files: Any = None

    def open(self, image_id: str) -> Image.Image:
        return noise(0)

    def digest(self, image_id: str) -> str:
        return image_id


def test_what_cannot_be_sent_to_processes_is_one_line(
    preprocess: Callable[[Image.Image], Any],
) -> None:
    source = Local(lambda: None)
    samples = Samples(Images(("a",), source), preprocess, Pixels.measured(preprocess))
    with pytest.raises(DataError, match=r"workers: the images .* set `workers: 0`"):
        Loader(samples, 1)
    assert len(list(loader(samples, [[(0, 0)]], 0))) == 1


@dataclass
class Deadly:
    """A source whose process dies."""

    folder: Path

    def open(self, image_id: str) -> Image.Image:
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)
        return noise(0)

    def digest(self, image_id: str) -> str:
        return image_id


def test_a_killed_process_is_one_line(
    preprocess: Callable[[Image.Image], Any], tmp_path: Path
) -> None:
    samples = Samples(Images(("a",), Deadly(tmp_path)), preprocess, Pixels.measured(preprocess))
    with pytest.raises(DataError, match=r"a process that opens images ended: .*shared memory"):
        list(loader(samples, [[(0, 0)]], 1))


def test_a_broken_sample_is_of_its_own_type(make: Callable[..., Samples]) -> None:
    assert isinstance(make()[0, 3], Broken)
