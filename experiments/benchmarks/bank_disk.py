"""What searching a prompt bank on disk costs: time, memory, and whether what is planted is found.

    OMP_NUM_THREADS=2 python experiments/benchmarks/bank_disk.py [--rows N] [--folder DIR]

1,000 queries over a bank of ``--rows`` rows, then over twice as many, each with a cold and a warm
page cache and in a process of its own; every query has a row planted that must come first. The
folder needs 4 KiB for each of ``--rows``. The product's own rate is measured in the process that
searches, after the search, so that what else the machine does disturbs both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from unprompt.bank.search import search_exact
from unprompt.types import FloatArray

DIMS, QUERIES, COUNT, SHARD = 1_024, 1_000, 100, 250_000


def main() -> None:
    """Make a bank and search it, or search one that was made and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path, help="where the bank is made")
    parser.add_argument("--searched", type=Path, help=argparse.SUPPRESS)  # by its own processes
    arguments = parser.parse_args()
    if arguments.searched:
        search_folder(arguments.searched, arguments.rows)
    else:
        disk(arguments.rows, arguments.folder)


def embeddings(count: int, random: np.random.Generator) -> FloatArray:
    """Unit rows as CLIP's are: a mean in common, 64 directions with most of the rest, noise."""
    mean, *directions = np.random.default_rng(0).normal(size=(65, DIMS)).astype(np.float32)
    rows = random.standard_normal((count, 64), np.float32) @ np.stack(directions) * (0.9 / 8)
    rows += random.standard_normal(rows.shape, np.float32) * 0.35
    rows += 9.6 * mean / np.linalg.norm(mean)
    unit: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def disk(count: int, folder: Path | None) -> None:
    """Make a bank on disk, then search half of it and all of it."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        make_shards(Path(made), 2 * count)
        for cache in ("cold", "warm"):
            seconds = [searched(Path(made), rows, cache) for rows in (count, 2 * count)]
            print(f"{cache}: twice the rows take {seconds[1] / seconds[0]:.2f} times as long")


def make_shards(folder: Path, count: int) -> None:
    """Write shards of float16 rows, and queries with a row each that is planted near it."""
    random = np.random.default_rng(6)
    block = embeddings(SHARD // 10, random).astype(np.float16)
    queries = embeddings(QUERIES, random)
    np.save(folder / "queries.npy", queries)
    noise = random.normal(size=queries.shape).astype(np.float32) * 0.005
    planted = (queries + noise) / np.linalg.norm(queries + noise, axis=1, keepdims=True)
    # All within the first half, so that the smaller bank holds them, too.
    places = np.sort(random.choice(count // 2, QUERIES, replace=False))
    np.save(folder / "places.npy", places)
    for number, first in enumerate(range(0, count, SHARD)):
        size = min(SHARD, count - first)
        shard = np.lib.format.open_memmap(
            folder / f"{number:05}.npy", "w+", np.float16, (size, DIMS)
        )
        for part in range(0, size, len(block)):
            # Rows of the same lengths, but others: columns change their sign.
            signs = np.where(random.random(DIMS) < 0.02, 0x8000, 0).astype(np.uint16)
            piece = shard[part : part + len(block)]
            piece[:] = (block.view(np.uint16)[: len(piece)] ^ signs).view(np.float16)
        inside = (places >= first) & (places < first + size)
        shard[places[inside] - first] = planted[inside]
        shard.flush()
        del shard


def searched(folder: Path, rows: int, cache: str) -> float:
    """Search in a process of its own, print what it took, and give the seconds."""
    if cache == "cold":
        for path in folder.glob("*.npy"):
            handle = os.open(path, os.O_RDONLY)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)
    command = [sys.executable, "-P", __file__, "--searched", str(folder)]
    done = subprocess.run(
        [*command, "--rows", str(rows)], check=True, stdout=subprocess.PIPE, text=True
    )
    result = json.loads(done.stdout)
    print(
        f"{cache}, {rows} rows: {result['seconds']:.1f} s, {result['share']:.0%} of the product's "
        f"rate ({result['processor']:.1f} s and {result['processor_share']:.0%} by processor "
        f"time), peak memory {result['peak_mib']} MiB, planted rows that come first: "
        f"{result['planted']} of {QUERIES}",
        flush=True,
    )
    return float(result["seconds"])


def search_folder(folder: Path, count: int) -> None:
    """Search the first rows of a folder's shards and print what it took as JSON."""
    shards, left = [], count
    for path in sorted(folder.glob("[0-9]*.npy")):
        shards.append(np.load(path, mmap_mode="r")[:left])
        left -= len(shards[-1])
        if not left:
            break
    queries, places = np.load(folder / "queries.npy"), np.load(folder / "places.npy")
    search_exact(queries[:2], [shards[0][:1_000]], COUNT)  # measures the route, loads libraries
    clock, processor = time.perf_counter(), time.process_time()
    got = search_exact(queries, shards, COUNT)
    seconds, processors = time.perf_counter() - clock, time.process_time() - processor
    # The page tables' own record: that of `resource` would count the parent, too.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    product, product_processors = (spent * count for spent in product_of_one_row(queries))
    result = {
        "seconds": seconds,
        "processor": processors,
        "share": product / seconds,
        "processor_share": product_processors / processors,
        "peak_mib": int(peak) // 1024,
        "planted": int((got.rows[:, 0] == places).sum()),
    }
    print(json.dumps(result))


def product_of_one_row(queries: FloatArray) -> tuple[float, float]:
    """Seconds of the bfloat16 product for one row and all queries: clock and processors."""
    import torch

    rows, wide = torch.randn(32_768, DIMS).bfloat16(), torch.from_numpy(queries).bfloat16()
    clock, processor = [], []
    for _ in range(8):
        start, used = time.perf_counter(), time.process_time()
        wide @ rows.T
        clock.append((time.perf_counter() - start) / len(rows))
        processor.append((time.process_time() - used) / len(rows))
    return median(clock[1:]), median(processor[1:])


if __name__ == "__main__":
    main()
