"""What searching a prompt bank costs, against what else there is, in one run.

    python experiments/benchmarks/bank.py exact [--rows N] [--rounds N] [--device cuda]
    python experiments/benchmarks/bank.py approximate [--rows N] [--index NAME]

``exact``: 256 queries, 100 neighbours, rows in clusters as CLIP's embeddings are; then a bank made
to be hard, whose neighbours are compared with a float64 product of everything. ``approximate``: an
index with its recall, against exact search. `bank_disk.py` has banks on disk.

Every comparison is made in rounds of one run, so that a busy machine disturbs all alike; processor
time, which other programs disturb less, is printed beside the time on the clock.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np
import numpy.typing as npt

from unprompt.bank.search import ApproximateIndex, PreparedRows, search_exact
from unprompt.types import FloatArray

DIMS, QUERIES, COUNT = 1_024, 256, 100


def main() -> None:
    """Run one of the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["exact", "approximate"])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu", help="of `exact`: cpu or cuda")
    parser.add_argument("--index", default="IVF1024,RaBitQ4")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("unprompt").setLevel(logging.INFO)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # stdout is a file
    if arguments.what == "exact":
        exact(arguments.rows or 300_000, arguments.rounds, arguments.device)
    else:
        approximate(arguments.rows or 200_000, arguments.index)


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
    import torch

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
    for kind in (torch.bfloat16, torch.float32):
        prepared = PreparedRows([rows], device=device, kind=kind)
        start, processor = time.perf_counter(), time.process_time()
        got = search_exact(queries, prepared, COUNT, device=device)
        print(
            f"hard bank by {kind}: {time.perf_counter() - start:.2f} s on the clock, "
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


def approximate(count: int, factory: str) -> None:
    """Print what an index finds and what it takes."""
    rows = clustered(count, 1).astype(np.float16)
    start = time.perf_counter()
    index = ApproximateIndex.build([rows], factory)
    print(f"{factory} of {count} rows, made and measured in {time.perf_counter() - start:.1f} s")
    print(f"{index.about.probes} lists searched: {index.about.quality}")


if __name__ == "__main__":
    main()
