"""What searching a prompt bank costs, against what else there is, in one run.

    python experiments/benchmarks/bank.py exact [--rows N] [--rounds N] [--device cuda]
    python experiments/benchmarks/bank.py disk [--rows N] [--folder DIR]
    python experiments/benchmarks/bank.py approximate [--rows N] [--index NAME]

``exact``: 256 queries, 100 neighbours, rows in clusters as CLIP's embeddings are; then a bank made
to be hard, whose neighbours are compared with a float64 product of everything. ``disk``: 1,000
queries over a bank of ``--rows`` rows on disk, then twice as many, each with a cold and a warm page
cache and in a process of its own; every query has a row planted that must come first. The folder
needs 4 KiB for each of ``--rows``. ``approximate``: an index with its recall, against exact search.

Every comparison is made in rounds of one run, so that a busy machine disturbs all alike; processor
time, which other programs disturb less, is printed beside the time on the clock.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from unprompt.bank.search import ApproximateIndex, PreparedRows, search_exact
from unprompt.types import FloatArray

DIMS, QUERIES, COUNT = 1_024, 256, 100
DISK_QUERIES, SHARD = 1_000, 250_000


def main() -> None:
    """Run one of the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["exact", "disk", "approximate", "search-folder"])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu", help="of `exact`: cpu or cuda")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--index", default="IVF1024,RaBitQ4")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("unprompt").setLevel(logging.INFO)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # stdout is a file
    if arguments.what == "exact":
        exact(arguments.rows or 300_000, arguments.rounds, arguments.device)
    elif arguments.what == "disk":
        disk(arguments.rows or 5_000_000, arguments.folder)
    elif arguments.what == "approximate":
        approximate(arguments.rows or 200_000, arguments.index)
    else:
        search_folder(arguments.folder, arguments.rows)


def clustered(count: int, seed: int) -> FloatArray:
    """Unit rows with a mean in common, most of the rest in 64 directions, and some noise."""
    world, random = np.random.default_rng(0), np.random.default_rng(seed)
    mean, *directions = world.normal(size=(65, DIMS)).astype(np.float32)
    rows = np.empty((count, DIMS), np.float32)
    for first in range(0, count, 20_000):
        part = rows[first : first + 20_000]
        part[:] = random.standard_normal(part.shape, np.float32) * 0.35
        part += (
            random.standard_normal((len(part), 64), np.float32) @ np.stack(directions) * (0.9 / 8)
        )
        part += 9.6 * mean / np.linalg.norm(mean)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


@dataclass
class Spent:
    """Seconds of each round: on the clock, and of all processors together."""

    clock: list[float]
    processor: list[float]


def timed(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, Spent]:
    """Call every way once a round, after a first time that does not count."""
    spent = {name: Spent([], []) for name in ways}
    for number in range(rounds + 1):
        for name, call in ways.items():
            clock, processor = time.perf_counter(), time.process_time()
            call()
            if number:
                spent[name].clock.append(time.perf_counter() - clock)
                spent[name].processor.append(time.process_time() - processor)
    return spent


def exact(count: int, rounds: int, device: str) -> None:
    """Print the comparison over clustered rows, and the check of the hard bank."""
    import torch

    rows, queries = clustered(count, 1), clustered(QUERIES, 2)
    start = time.perf_counter()
    prepared = PreparedRows([rows], device=device)
    where = torch.cuda.get_device_name() if device == "cuda" else device
    print(
        f"{count} rows of {DIMS}, {QUERIES} queries, {COUNT} neighbours, {rounds} rounds, {where}"
    )
    print(f"preparing the rows (once a bank): {time.perf_counter() - start:.2f} s")
    wide = PreparedRows([rows], device=device, kind=torch.float32)
    x, q = torch.from_numpy(rows).to(device), torch.from_numpy(queries).to(device)
    half_x, half_q = x.bfloat16(), q.bfloat16()

    def done(made: object) -> object:
        if device == "cuda":
            torch.cuda.synchronize()
        return made

    search, ours = partial(search_exact, device=device), "search_exact"
    spent = timed(
        {
            ours: lambda: search(queries, prepared, COUNT),
            "bfloat16 product": lambda: done(half_q @ half_x.T),
            "float32 product": lambda: done(q @ x.T),
            "torch.mm + topk": lambda: done((q @ x.T).topk(COUNT, dim=1)),
            **({} if device == "cuda" else {"faiss.IndexFlatIP": flat_search(rows, queries)}),
            # As where the processor has no bfloat16.
            f"{ours} by float32": lambda: search(queries, wide, COUNT),
            f"{ours}, not prepared": lambda: search(queries, [rows], COUNT),
        },
        rounds,
    )
    print(f"{'':28}{'clock':>9}{'ratio':>8}{'processor':>12}{'ratio':>8}")
    for name, way in spent.items():
        ratios = [
            median(a / b for a, b in zip(getattr(way, of), getattr(spent[ours], of), strict=True))
            for of in ("clock", "processor")
        ]
        print(
            f"{name:28}{median(way.clock):8.3f}s{ratios[0]:7.2f}x"
            f"{median(way.processor):11.3f}s{ratios[1]:7.2f}x"
        )
    got = search(queries, prepared, COUNT)
    truth = (q @ x.T).topk(COUNT, dim=1).indices.cpu()
    same = float((torch.from_numpy(got.rows) == truth).float().mean())
    print(f"same place, same row as torch.mm + topk: {same:.6f}; the others:")
    print(f"  {differences(queries, rows, got.rows)}")
    hard(count, device)


def flat_search(rows: FloatArray, queries: FloatArray) -> Callable[[], object]:
    """The exact search that faiss has."""
    import faiss

    index = faiss.IndexFlatIP(DIMS)
    index.add(rows)
    return lambda: index.search(queries, COUNT)


def hard(count: int, device: str) -> None:
    """Search a bank of near ties, equal rows and rows along an axis, also for zeros."""
    random = np.random.default_rng(5)
    rows, queries = clustered(count, 3), clustered(QUERIES, 4)
    quarter = count // 4
    near = random.integers(-1, 2, (quarter, DIMS)).astype(np.float32) * np.float32(1e-7)
    rows[:quarter] = rows[0] + near
    rows[quarter : 2 * quarter] = rows[np.arange(quarter) % 100 + 3 * quarter]
    rows[2 * quarter : 3 * quarter] = 0
    rows[2 * quarter : 3 * quarter, 7] = 1
    queries[:32], queries[32:64] = rows[0], rows[3 * quarter : 3 * quarter + 32]
    queries[64:96] = np.eye(1, DIMS, 7, dtype=np.float32)
    queries[96:128] = 0
    prepared = PreparedRows([rows], device=device)
    start, processor = time.perf_counter(), time.process_time()
    got = search_exact(queries, prepared, COUNT, device=device)
    print(
        f"hard bank: {time.perf_counter() - start:.2f} s on the clock, "
        f"{time.process_time() - processor:.2f} s of processors"
    )
    print(f"  {differences(queries, rows, got.rows)}")


def differences(queries: FloatArray, rows: FloatArray, got: npt.NDArray[np.int64]) -> str:
    """Compare with the products of everything in float64, rounded to float32, ties by number."""
    different = 0
    for first in range(0, len(queries), 16):
        part = queries[first : first + 16].astype(np.float64)
        blocks = [
            (part @ rows[start : start + 10_000].T.astype(np.float64)).astype(np.float32)
            for start in range(0, len(rows), 10_000)
        ]
        order = np.argsort(-np.concatenate(blocks, axis=1), axis=1, kind="stable")
        different += int((order[:, : got.shape[1]] != got[first : first + 16]).sum())
    return f"{different} of {got.size} differ from float64 products, rounded and sorted"


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
    block = clustered(SHARD // 10, 7).astype(np.float16)
    queries = clustered(DISK_QUERIES, 8)
    np.save(folder / "queries.npy", queries)
    noise = random.normal(size=queries.shape).astype(np.float32) * 0.005
    planted = (queries + noise) / np.linalg.norm(queries + noise, axis=1, keepdims=True)
    # All within the first half, so that the smaller bank holds them, too.
    places = np.sort(random.choice(count // 2, DISK_QUERIES, replace=False))
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
    command = [sys.executable, "-P", __file__, "search-folder", "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--rows", str(rows)], check=True, stdout=subprocess.PIPE, text=True
    )
    result = json.loads(done.stdout)
    print(
        f"{cache}, {rows} rows: {result['seconds']:.1f} s, {result['share']:.0%} of the product's "
        f"rate ({result['processor']:.1f} s and {result['processor_share']:.0%} by processor "
        f"time), peak memory {result['peak_mib']} MiB, planted rows that come first: "
        f"{result['planted']} of {DISK_QUERIES}",
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
    product = product_of_one_row(queries)
    result = {"seconds": seconds, "processor": processors} | {
        "share": product.clock[0] * count / seconds,
        "processor_share": product.processor[0] * count / processors,
        "peak_mib": int(peak) // 1024,
        "planted": int((got.rows[:, 0] == places).sum()),
    }
    print(json.dumps(result))


def product_of_one_row(queries: FloatArray) -> Spent:
    """What the bfloat16 product takes for one row and all queries."""
    import torch

    rows, wide = torch.randn(32_768, DIMS).bfloat16(), torch.from_numpy(queries).bfloat16()
    spent = timed({"product": lambda: wide @ rows.T}, 7)["product"]
    clock, processor = (median(times) / len(rows) for times in (spent.clock, spent.processor))
    return Spent([clock], [processor])


def approximate(count: int, factory: str) -> None:
    """Print what an index finds and what it takes."""
    rows = clustered(count, 1).astype(np.float16)
    start = time.perf_counter()
    index = ApproximateIndex.build([rows], factory)
    print(f"{factory} of {count} rows, made and measured in {time.perf_counter() - start:.1f} s")
    print(f"{index.about.probes} lists searched: {index.about.quality}")


if __name__ == "__main__":
    main()
