"""How long a bank's near-duplicates take: rows like prompts' targets, a tenth of them near copies.

    OMP_NUM_THREADS=2 python experiments/benchmarks/bank_dedup.py [rows]

Rows are a common direction, topics, subjects of 200 rows each and noise, as sentence embeddings
are: most pairs have a cosine below 0.5, those of one subject about 0.8, below the threshold of 0.9.
What is printed was counted and measured in this run.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from unprompt._data.space import TextSpace
from unprompt.bank.cleaning import dedup
from unprompt.bank.cleaning.pairs import unit_doubles
from unprompt.bank.store import StoredBank, writing_bank

D, PART, COPIES = 384, 10_000, 10
Halves = npt.NDArray[np.float16]


def parts(count: int, rng: np.random.Generator) -> Iterator[Halves]:
    """Rows part by part; in each, one of ten is a near copy of another one of it."""
    common = rng.normal(size=D)
    topics = rng.normal(size=(64, D))
    subjects = rng.normal(size=(max(1, count // 200), 64)) @ topics / 8
    subjects += 0.6 * common + rng.normal(size=subjects.shape)
    for start in range(0, count, PART):
        n = min(PART, count - start)
        rows = subjects[rng.integers(0, len(subjects), n)] + 0.8 * rng.normal(size=(n, D))
        copies = n // COPIES
        rows[n - copies :] = rows[:copies] + 0.3 * rng.normal(size=(copies, D))
        yield (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def main() -> None:
    """Make a bank, deduplicate it, and check what is left."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        full, cleaned = Path(folder) / "full", Path(folder) / "cleaned"
        space = TextSpace(plugin="random", identity="random")
        with writing_bank(full, space, D) as writer:
            for start, rows in zip(range(0, count, PART), parts(count, rng), strict=True):
                texts = [f"prompt {start + i}" for i in range(len(rows))]
                writer.add(texts, rng.integers(1, 5, len(rows)), rows)
            writer.close([], [])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun, used = time.perf_counter(), time.process_time()
        made = dedup(full, cleaned)
        seconds, used = time.perf_counter() - begun, time.process_time() - used
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"{count:,} rows: {seconds:.1f} s ({used:.1f} s of processor time)")
        print(f"{made.dropped:,} dropped, {made.manifest.rows:,} kept")
        print_cosines(full, rng)
        print(f"peak memory {after / 1024:,.0f} MB ({before / 1024:,.0f} MB before)")
        check(StoredBank.open(full), StoredBank.open(cleaned), rng)


def print_cosines(full: Path, rng: np.random.Generator) -> None:
    """Print how the cosines of 200 rows with all others are distributed."""
    bank = StoredBank.open(full)
    some = unit_doubles(bank.halves("targets", rng.permutation(len(bank))[:200]))
    cosines = (some @ unit_doubles(np.concatenate(bank.targets)).T).ravel()
    shares = ", ".join(f"{(cosines >= c).mean():.1e} above {c}" for c in (0.3, 0.5, 0.7, 0.8, 0.85))
    print(f"pairs of rows: mean cosine {cosines.mean():.2f}; {shares}")


def check(full: StoredBank, cleaned: StoredBank, rng: np.random.Generator) -> None:
    """Compare 500 rows of either bank with all that are kept, in float64."""
    kept = unit_doubles(np.concatenate(cleaned.targets))
    some = rng.permutation(len(cleaned))[:500]
    cosines = kept[some] @ kept.T
    cosines[np.arange(len(some)), some] = -1
    print(f"highest cosine of 500 kept rows with other kept ones: {cosines.max():.6f}")
    any_rows = full.halves("targets", rng.permutation(len(full))[:500])
    lowest = (unit_doubles(any_rows) @ kept.T).max(axis=1).min()
    print(f"lowest cosine of 500 rows of the full bank with their nearest kept one: {lowest:.6f}")
    print(f"sum of counts {full.manifest.counted:,} before, {cleaned.manifest.counted:,} after")


if __name__ == "__main__":
    main()
