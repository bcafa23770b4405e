"""The order of an epoch: each sample once, the same in every process, storage in sequence."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unprompt.errors import ConfigError
from unprompt.train.order import epoch_order, picks, share

SIZES = st.lists(st.integers(0, 40), min_size=1, max_size=12).filter(sum)
SEEDS = st.integers(0, 2**32)


@given(n=st.integers(1, 300), seed=SEEDS, epoch=st.integers(0, 99))
def test_each_sample_is_taken_once(n: int, seed: int, epoch: int) -> None:
    assert sorted(epoch_order(n, seed, epoch).tolist()) == list(range(n))


@given(sizes=SIZES, buffer=st.integers(1, 100), seed=SEEDS)
def test_each_sample_is_taken_once_through_a_buffer(
    sizes: list[int], buffer: int, seed: int
) -> None:
    order = epoch_order(sum(sizes), seed, 0, blocks=sizes, buffer=buffer)
    assert sorted(order.tolist()) == list(range(sum(sizes)))


def test_an_order_is_a_function_of_seed_and_epoch() -> None:
    orders = {
        (seed, epoch): epoch_order(50, seed, epoch).tobytes()
        for seed in range(3)
        for epoch in range(3)
    }
    assert all(epoch_order(50, *key).tobytes() == order for key, order in orders.items())
    assert len(set(orders.values())) == len(orders)


@given(sizes=SIZES, buffer=st.integers(1, 50), seed=SEEDS)
def test_blocks_are_read_nearly_in_sequence(sizes: list[int], buffer: int, seed: int) -> None:
    """A sample is at most the buffer's size away from where its block begins and ends."""
    n, ends = sum(sizes), np.cumsum(sizes)
    order = epoch_order(n, seed, 0, blocks=sizes, buffer=buffer)
    block = np.searchsorted(ends, order, side="right")
    for number, size in enumerate(sizes):
        places = np.flatnonzero(block == number)
        if size:
            assert places[-1] - places[0] < size + 2 * buffer


def test_few_blocks_are_open_at_once() -> None:
    sizes = [100] * 200
    order = epoch_order(20_000, 1, 0, blocks=sizes, buffer=500)
    block = order // 100
    first, last = (np.full(200, -1) for _ in range(2))
    for place, number in enumerate(block):
        first[number] = place if first[number] < 0 else first[number]
        last[number] = place
    open_at = [int(((first <= place) & (last >= place)).sum()) for place in range(0, 20_000, 97)]
    assert max(open_at) <= 2 * 500 // 100 + 2


def test_a_buffer_mixes() -> None:
    order = epoch_order(10_000, 3, 0, blocks=[10_000], buffer=2_000)
    moved = np.abs(order - np.arange(10_000))
    assert moved.max() <= 2_000
    assert np.median(moved) > 200
    assert np.corrcoef(np.arange(200), np.argsort(np.argsort(order[:200])))[0, 1] < 0.5


def test_blocks_come_in_another_order_each_epoch() -> None:
    heads = {
        tuple(dict.fromkeys((epoch_order(60, 0, e, blocks=[10] * 6, buffer=1) // 10).tolist()))
        for e in range(20)
    }
    assert len(heads) > 10


@given(
    prompts=st.lists(st.integers(0, 9), min_size=1, max_size=60), seed=SEEDS, buffered=st.booleans()
)
def test_one_sample_of_each_prompt(prompts: list[int], seed: int, buffered: bool) -> None:
    how = {"blocks": [len(prompts)], "buffer": 5} if buffered else {}
    order = epoch_order(len(prompts), seed, 0, prompts=prompts, **how)  # type: ignore[arg-type]  # by cases
    assert Counter(prompts[row] for row in order) == Counter(set(prompts))


def test_every_sample_of_a_prompt_has_the_same_chance() -> None:
    prompts = [0, 0, 0, 0, 1]
    drawn = Counter(
        row for epoch in range(2_000) for row in epoch_order(5, 9, epoch, prompts=prompts).tolist()
    )
    assert drawn[4] == 2_000
    # Binomial: 2,000 draws at 1/4 deviate by 19; five times that.
    assert all(abs(drawn[row] - 500) < 100 for row in range(4))


@settings(max_examples=60)
@given(
    n=st.integers(8, 200),
    world=st.sampled_from([1, 2, 4]),
    part=st.integers(1, 8),
    keep_last=st.booleans(),
)
def test_several_processes_see_the_batches_of_one(
    n: int, world: int, part: int, keep_last: bool
) -> None:
    order = epoch_order(n, 5, 1)
    size = world * part
    alone = share(order, 0, 1, size, keep_last=keep_last)
    parts = [share(order, rank, world, size, keep_last=keep_last) for rank in range(world)]
    together = [
        sorted(np.concatenate([own[i] for own in parts if i < len(own)]).tolist())
        for i in range(max(map(len, parts)))
    ]
    if n >= size or keep_last:
        assert together == [sorted(batch.tolist()) for batch in alone]
    else:  # the only batch, in equal parts
        assert len(together) == 1
        assert len({len(own[0]) for own in parts}) == 1
        assert n - world < len(together[0]) <= n
    taken = [row for batch in together for row in batch]
    assert len(taken) == len(set(taken))
    assert len(taken) == n if keep_last or n % size == 0 else len(taken) <= n


def test_what_an_epoch_drops_differs_from_epoch_to_epoch() -> None:
    dropped = {
        frozenset(range(10)) - {int(row) for batch in share(order, 0, 1, 4) for row in batch}
        for order in (epoch_order(10, 0, epoch) for epoch in range(12))
    }
    assert all(len(rows) == 2 for rows in dropped)
    assert len(dropped) > 6


def test_batches_that_processes_cannot_divide_are_refused() -> None:
    with pytest.raises(ConfigError, match="batch_size: 6 cannot be divided among 4 processes"):
        share(epoch_order(12, 0, 0), 0, 4, 6)
    with pytest.raises(ConfigError, match="processes: 4, but there are 3 samples"):
        share(epoch_order(3, 0, 0), 0, 4, 8)


def test_picks_name_the_epoch() -> None:
    assert picks(7, [np.array([3, 1]), np.array([2])]) == [[(7, 3), (7, 1)], [(7, 2)]]


def test_mistakes_of_callers_are_no_lines() -> None:
    with pytest.raises(ValueError, match="blocks of 3 samples"):
        epoch_order(4, 0, 0, blocks=[1, 2], buffer=2)
    with pytest.raises(ValueError, match="prompts of 1 samples"):
        epoch_order(4, 0, 0, prompts=[1])
