"""Near-duplicates of a bank: one prompt per cluster stays, the most frequent."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from unprompt import ConfigError, DataError, OutputError, unit
from unprompt._data.space import TextSpace
from unprompt._files.workplace import is_workplace
from unprompt.bank.cleaning import bounds, dedup, greedy, pairs
from unprompt.bank.cleaning.greedy import stand_ins
from unprompt.bank.store import BankBackbone, StoredBank, verify, writing_bank
from unprompt.types import FloatArray

D = 384
SPACE = TextSpace(plugin="letters", identity="letters-1")
BACKBONE = BankBackbone(identity={"files": "1"}, source={"model": "x"}, dim=4, precision="float32")
Halves = npt.NDArray[np.float16]


def random_rows(count: int, seed: int = 0, dim: int = D) -> FloatArray:
    return unit(np.random.default_rng(seed).normal(size=(count, dim)))


def near_copies(rows: FloatArray, cosine: float, seed: int = 1) -> FloatArray:
    """A row at a given cosine to each one."""
    noise = random_rows(len(rows), seed, rows.shape[1]).astype(np.float64)
    noise -= np.einsum("nd,nd->n", noise, rows)[:, None] * rows
    return unit(cosine * rows + np.sqrt(1 - cosine**2) * unit(noise))


def write_bank(
    folder: Path, rows: FloatArray, counts: list[int], keys: FloatArray | None = None
) -> StoredBank:
    backbone = None if keys is None else BACKBONE
    texts = [f"prompt {i}" for i in range(len(rows))]
    with writing_bank(folder, SPACE, rows.shape[1], backbone, shard_rows=300) as writer:
        writer.add(
            texts,
            counts,
            rows.astype(np.float16),
            None if keys is None else keys.astype(np.float16),
        )
        writer.close([], [])
    return StoredBank.open(folder)


def by_the_definition(halves: Halves, order: npt.NDArray[np.int64], threshold: float) -> list[int]:
    """The stand-in of each row, from all cosines at once."""
    rows = halves.astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    near = rows @ rows.T >= threshold - 1e-9
    kept: list[int] = []
    owners = [-1] * len(rows)
    for row in order.tolist():
        owners[row] = next((other for other in kept if near[row, other]), row)
        if owners[row] == row:
            kept.append(row)
    return owners


def walk(halves: Halves, order: npt.NDArray[np.int64], threshold: float, work: Path) -> list[int]:
    walked: list[int] = []
    owners = stand_ins(lambda rows: halves[rows], order, threshold, work, walked.append)
    assert sum(walked) == len(order)
    result: list[int] = owners.tolist()
    return result


# What is kept


def test_a_thousand_prompts_with_200_near_copies_are_a_thousand(tmp_path: Path) -> None:
    distinct = random_rows(1000)
    rows = np.concatenate([distinct, near_copies(distinct[:200], 0.93)])
    counts = [1] * 1000 + [1] * 200
    write_bank(tmp_path / "a", rows, counts)
    made = dedup(tmp_path / "a", tmp_path / "b")
    assert (made.rows, made.dropped, made.manifest.rows) == (1200, 200, 1000)
    bank = StoredBank.open(tmp_path / "b")
    assert bank.texts(range(1000)) == [f"prompt {i}" for i in range(1000)]
    assert bank.counts(range(1000)).tolist() == [2] * 200 + [1] * 800
    np.testing.assert_array_equal(bank.halves("targets", range(1000)), distinct.astype(np.float16))
    verify(tmp_path / "b")


def test_of_two_twins_one_stays_the_more_frequent(tmp_path: Path) -> None:
    rows = np.repeat(random_rows(3), 2, axis=0)
    write_bank(tmp_path / "a", rows, [1, 5, 7, 7, 9, 2])
    dedup(tmp_path / "a", tmp_path / "b")
    bank = StoredBank.open(tmp_path / "b")
    assert bank.texts(range(3)) == ["prompt 1", "prompt 2", "prompt 4"]
    assert bank.counts(range(3)).tolist() == [6, 14, 11]
    assert bank.manifest.counted == 31


def test_nearness_does_not_chain(tmp_path: Path) -> None:
    """a, b and c a step apart: a and c are not near, so both stay where b counts least."""
    angles = np.deg2rad([0, 20, 40])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    for counts, kept in (([3, 1, 2], [0, 2]), ([1, 3, 2], [1])):
        folder = tmp_path / str(counts[0])
        write_bank(folder, rows, counts)
        made = dedup(folder, folder.with_suffix(".b"), threshold=0.9)  # 20 degrees: 0.94
        bank = StoredBank.open(folder.with_suffix(".b"))
        assert bank.texts(range(len(kept))) == [f"prompt {i}" for i in kept]
        assert made.manifest.counted == 6


def test_the_most_frequent_of_several_near_ones_gets_the_count(tmp_path: Path) -> None:
    angles = np.deg2rad([0, 20, 40])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    write_bank(tmp_path / "a", rows, [3, 1, 9])
    dedup(tmp_path / "a", tmp_path / "b")
    assert StoredBank.open(tmp_path / "b").counts([0, 1]).tolist() == [3, 10]


def test_keys_go_with_their_prompts_bit_for_bit(tmp_path: Path) -> None:
    rows = random_rows(400)
    rows[1] = rows[0]
    keys = random_rows(400, 2, 4)
    write_bank(tmp_path / "a", rows, [1] * 400, keys)
    made = dedup(tmp_path / "a", tmp_path / "b", shard_rows=100)
    bank = StoredBank.open(tmp_path / "b")
    kept = [0, *range(2, 400)]
    np.testing.assert_array_equal(bank.halves("keys", range(399)), keys[kept].astype(np.float16))
    assert [shard.rows for shard in made.manifest.shards] == [100, 100, 100, 99]
    assert made.manifest.backbone == BACKBONE


# The definition


@pytest.fixture(params=["bfloat16", "float32"])
def arithmetic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both, whatever this processor has."""
    native = request.param == "bfloat16"
    monkeypatch.setattr(greedy, "computes_in_bfloat16", lambda _: native)
    monkeypatch.setattr(greedy, "BLOCK", 64)
    monkeypatch.setattr(greedy, "TILE", 48)


Make = Callable[[], FloatArray]


def clustered() -> FloatArray:
    """Rows at all cosines around the threshold, most of them near several others."""
    rng = np.random.default_rng(3)
    centres = random_rows(12, 4)[rng.integers(0, 12, 500)]
    return unit(centres + rng.uniform(0, 1, (500, 1)) * random_rows(500, 5))


def close_calls() -> FloatArray:
    """Pairs whose cosine is the threshold but for 1e-4, as near as 16 bits come to it."""
    rows = random_rows(150, 6)
    offsets = np.random.default_rng(7).uniform(-1e-4, 1e-4, 150)
    return np.concatenate(
        [rows, *(near_copies(rows, 0.9 + offset)[i : i + 1] for i, offset in enumerate(offsets))]
    )


CASES: dict[str, Make] = {
    "clustered": clustered,
    "close calls": close_calls,
    "all equal": lambda: np.repeat(random_rows(1), 400, axis=0),
    "few directions": lambda: random_rows(400, 8, 3),
    "far apart": lambda: random_rows(300, 9),
    "one row": lambda: random_rows(1),
}


@pytest.mark.usefixtures("arithmetic")
@pytest.mark.parametrize("threshold", [0.5, 0.9, 1.0])
@pytest.mark.parametrize("case", CASES)
def test_the_result_is_that_of_all_cosines(case: str, threshold: float, tmp_path: Path) -> None:
    halves = CASES[case]().astype(np.float16)
    order = np.random.default_rng(10).permutation(len(halves))
    assert walk(halves, order, threshold, tmp_path) == by_the_definition(halves, order, threshold)


def test_blocks_and_tiles_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    halves = clustered().astype(np.float16)
    order = np.arange(len(halves))
    results = []
    for block, tile, chunk in ((2048, 8192, 256), (7, 5, 3), (500, 1, 1), (1, 500, 100)):
        monkeypatch.setattr(greedy, "BLOCK", block)
        monkeypatch.setattr(greedy, "TILE", tile)
        monkeypatch.setattr(pairs, "_CHUNK", chunk)
        work = tmp_path / str(block)
        work.mkdir()
        results.append(walk(halves, order, 0.9, work))
    assert results[0] != list(range(len(halves)))
    assert all(result == results[0] for result in results)


# The bound


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("columns", [1, 31, 383, None])
def test_no_product_is_below_what_the_cosine_allows(half: bool, columns: int | None) -> None:
    import torch

    rows = pairs.unit_doubles(clustered().astype(np.float16))
    basis = None if columns is None else np.linalg.qr(random_rows(D, 11).T.astype(float))[0]
    bounded = bounds.Bounds(None if basis is None else basis[:, :columns], half).of(rows)
    products = (bounded.rows @ bounded.rows.T).double().numpy()
    value = [[bounds.least(c, bounded.lost, bounded.lost) for c in line] for line in rows @ rows.T]
    kind = torch.bfloat16 if half else torch.float32
    assert (products >= torch.tensor(value).to(kind).double().numpy()).all()
    assert bounded.lost < (0.004 if half else 1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (3, 5), (64, 700)])
@pytest.mark.parametrize("width", [2, 64, 96, 384])
def test_products_are_added_up_in_float32(shape: tuple[int, int], width: int) -> None:
    """Whatever routine PyTorch takes for a shape: only the sum is rounded to bfloat16."""
    import torch

    ours, theirs = (
        torch.from_numpy(random_rows(count, count, width)).bfloat16() for count in shape
    )
    exact = ours.double() @ theirs.double().T
    low, high = ((exact + off).bfloat16() for off in (-bounds.SLACK, bounds.SLACK))
    products = ours @ theirs.T
    assert bool(((low <= products) & (products <= high)).all())


def test_fewer_columns_are_taken_where_rows_are_far_apart() -> None:
    far = pairs.unit_doubles(random_rows(500).astype(np.float16))
    fitted = bounds.fit_bounds(far, 0.9, half=True)
    assert fitted.basis is not None and fitted.basis.shape[1] < D / 2
    np.testing.assert_allclose(
        fitted.basis.T @ fitted.basis, np.eye(fitted.basis.shape[1]), atol=1e-12
    )
    near = pairs.unit_doubles(
        near_copies(np.repeat(random_rows(1), 500, axis=0), 0.95).astype(np.float16)
    )
    assert bounds.fit_bounds(near, 0.9, half=True).basis is None


# Mistakes


@pytest.mark.parametrize("threshold", [0, 0.05, 1.01, -1, float("nan")])
def test_a_threshold_that_means_nothing_is_refused(threshold: float, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"from 0.1 to 1, got {threshold}")):
        dedup(tmp_path / "a", tmp_path / "b", threshold=threshold)


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "kept").symlink_to("/dev/full")
    halves = random_rows(2000).astype(np.float16)
    bank = tmp_path / "bank"  # not the temporary file, of which nobody knows
    with pytest.raises(OutputError, match=rf"^{bank}: cannot be written: no space left on device"):
        stand_ins(lambda rows: halves[rows], np.arange(2000), 0.9, tmp_path, lambda _: None, bank)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no such folder"):
        dedup(tmp_path / "a", tmp_path / "b")
    write_bank(tmp_path / "a", random_rows(5), [1] * 5)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        dedup(tmp_path / "a", tmp_path / "taken")

    def interrupted(*_: object) -> None:
        assert any(is_workplace(path) for path in (tmp_path / "new").iterdir())
        raise KeyboardInterrupt

    monkeypatch.setattr("unprompt.bank.cleaning.deduplicating.stand_ins", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dedup(tmp_path / "a", tmp_path / "new" / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "taken"]
