"""What datasets of shards cost: time and memory of their records, and images a second by order.

Writes shards of synthetic samples into a temporary folder and prints

- for `webdataset` and `parquet-images`: seconds of the first reading (every header, prompt and
  hash) and of later ones, and the memory that records and images take, each per million records;
- for both: images opened a second in a random order and in one that goes through a buffer, with the
  shards' pages dropped from the system's cache, and for Parquet as if memory held a tenth of them;
- images a second of a training's `Loader` by threads and by worker processes.

Each measurement is a process of its own. 2 minutes and 1 GB of disk on two cores::

    python experiments/benchmarks/training_data.py [--records 100000] [--images 4000]
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from unprompt._registry.plugins import Registry
from unprompt.contracts import Dataset
from unprompt.contracts.specs import DatasetSpec
from unprompt.towers.sources import PreprocessConfig
from unprompt.train.loader import Loader
from unprompt.train.order import epoch_order, picks, share
from unprompt.train.pixels import Pixels
from unprompt.train.samples import Samples

PLUGINS = {"webdataset": "*.tar", "parquet-images": "*.parquet"}
PER_SHARD, PER_GROUP = 1000, 100
BUFFER = 1000


def main() -> None:
    """Write the shards, then measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000, help="tiny samples")
    parser.add_argument("--images", type=int, default=4000, help="images of 224 pixels")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        what, plugin, folder = given.measure
        MEASURES[what](plugin, Path(folder))
        return
    with tempfile.TemporaryDirectory() as scratch:
        tiny, large = Path(scratch) / "tiny", Path(scratch) / "large"
        write(tiny, given.records, 16)
        write(large, given.images, 224)
        os.environ["UNPROMPT_CACHE_DIR"] = f"{scratch}/cache"
        for plugin in PLUGINS:
            for _ in range(2):
                ask("records", plugin, tiny)
            for what in ("random", "buffered", "threads", "processes"):
                ask(what, plugin, large)


def ask(what: str, plugin: str, folder: Path) -> None:
    """One measurement, in a process of its own."""
    command = [sys.executable, __file__, "--measure", what, plugin, str(folder)]
    subprocess.run(command, check=True)


def write(folder: Path, count: int, side: int) -> None:
    """The same samples as tar files and as Parquet files."""
    folder.mkdir()
    for number, start in enumerate(range(0, count, PER_SHARD)):
        rows = list(contents(range(start, min(start + PER_SHARD, count)), side))
        with tarfile.open(folder / f"{number:05}.tar", "w") as archive:
            for key, image, prompt in rows:
                for name, content in ((f"{key}.jpg", image), (f"{key}.txt", prompt.encode())):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
        columns = dict(zip(("key", "image", "text"), zip(*rows, strict=True), strict=True))
        table = pa.table({name: list(columns[name]) for name in ("image", "text")})
        pq.write_table(table, folder / f"{number:05}.parquet", row_group_size=PER_GROUP)


def contents(rows: range, side: int) -> Iterator[tuple[str, bytes, str]]:
    """Key, JPEG and prompt; prompts of the length that people write."""
    for row in rows:
        generator = np.random.default_rng(row)
        coarse = generator.integers(0, 256, (max(side // 8, 2),) * 2 + (3,), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(coarse).resize((side, side)).save(file, "jpeg", quality=90)
        words = generator.integers(0, 9999, 12)
        yield f"{row:09}", file.getvalue(), f"a painting of {' '.join(map(str, words))}"


def opened(plugin: str, folder: Path) -> Dataset:
    """The dataset, as a run builds it."""
    registry = Registry()
    spec = registry.spec(plugin, DatasetSpec)
    options = spec.options.model_validate({"shards": str(folder / PLUGINS[plugin])})
    dataset: Dataset = registry.build(spec, options)
    return dataset


def measure_records(plugin: str, folder: Path) -> None:
    """Seconds and memory of records and images."""
    opened(plugin, folder)  # imports
    before, start = memory(), time.perf_counter()
    dataset = opened(plugin, folder)
    records, images = dataset.records(), dataset.images()
    seconds, more = time.perf_counter() - start, memory() - before
    million = 1e6 / len(records)
    size = sum(path.stat().st_size for path in folder.glob(PLUGINS[plugin]))
    print(
        f"{plugin}: {len(records):,} records of {len(images.blocks() or ()):,} blocks, "
        f"{size / 1e6:.0f} MB: {seconds * million:.0f} s and {more * million / 1e9:.2f} GB per "
        "million records",
        flush=True,
    )


def measure_order(plugin: str, folder: Path, *, buffered: bool) -> None:
    """Images a second by one thread, from disk."""
    if plugin == "parquet-images":
        from unprompt._data.shards import parquet_images

        size = sum(path.stat().st_size for path in folder.glob(PLUGINS[plugin]))
        parquet_images.KEPT = size // 10
    images = opened(plugin, folder).images()
    blocks, buffer = (images.blocks(), BUFFER) if buffered else (None, None)
    order = epoch_order(len(images), 0, 0, blocks=blocks, buffer=buffer)
    drop_pages(folder)
    start = time.perf_counter()
    for row in order:
        images.open(images.ids[row])
    speed = len(images) / (time.perf_counter() - start)
    how = "buffered" if buffered else "random"
    print(f"{plugin}: {how} order: {speed:.0f} images/s", flush=True)


def measure_loader(plugin: str, folder: Path, *, workers: int) -> None:
    """Images a second of a training's loader, augmented."""
    images = opened(plugin, folder).images()
    preprocess = PreprocessConfig(size=224, mean=(0.5,) * 3, std=(0.5,) * 3).transform()
    samples = Samples(images, preprocess, Pixels.measured(preprocess))
    order = epoch_order(len(images), 0, 0, blocks=images.blocks(), buffer=BUFFER)
    asked = picks(0, share(order, 0, 1, 50))
    loader = Loader(samples, workers, threads=2)
    given = loader.batches(asked)
    for _ in range(2 * max(1, workers)):  # until every process has started
        next(given)
    start = time.perf_counter()
    count = sum(len(batch.rows) for batch in given)
    speed = count / (time.perf_counter() - start)
    loader.close()
    how = f"{workers} processes" if workers else "2 threads"
    print(f"{plugin}: loader with {how}: {speed:.0f} images/s", flush=True)


def memory() -> int:
    """Bytes of the resident set."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def drop_pages(folder: Path) -> None:
    """Ask the system to forget what it holds of the shards."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


MEASURES: dict[str, Callable[[str, Path], None]] = {
    "records": measure_records,
    "random": lambda plugin, folder: measure_order(plugin, folder, buffered=False),
    "buffered": lambda plugin, folder: measure_order(plugin, folder, buffered=True),
    "threads": lambda plugin, folder: measure_loader(plugin, folder, workers=0),
    "processes": lambda plugin, folder: measure_loader(plugin, folder, workers=2),
}


if __name__ == "__main__":
    main()
