"""What the caller has set in torch neither changes a search nor is changed by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Thread

import numpy as np
import pytest

from unprompt.bank.search import (
    ApproximateIndex,
    Neighbours,
    PreparedRows,
    Rows,
    search_exact,
    small,
)
from unprompt.bank.search.route import measured
from unprompt.types import FloatArray


def unit_rows(count: int, seed: int) -> FloatArray:
    rows = np.random.default_rng(seed).normal(size=(count, 32))
    unit: FloatArray = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def searched(rows: Rows, queries: FloatArray) -> list[Neighbours]:
    """By every way."""
    import torch

    kinds = torch.bfloat16, torch.float32
    return [
        search_exact(queries, [rows], 10),
        *(search_exact(queries, PreparedRows([rows], kind=kind), 10) for kind in kinds),
        ApproximateIndex.build([rows], "Flat", count=10).search(queries, 10),
    ]


@contextmanager
def default(name: str) -> Iterator[None]:
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, name))
    try:
        yield
        assert torch.get_default_dtype() == getattr(torch, name)
    finally:
        torch.set_default_dtype(before)


@contextmanager
def inference() -> Iterator[None]:
    import torch

    with torch.inference_mode():
        yield
        assert torch.is_inference_mode_enabled()


@contextmanager
def autocast() -> Iterator[None]:
    import torch

    with torch.autocast("cpu", torch.bfloat16):
        yield
        assert torch.is_autocast_enabled("cpu")


@contextmanager
def deterministic() -> Iterator[None]:
    import torch

    torch.use_deterministic_algorithms(True)
    try:
        yield
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


SETTINGS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "default float64": lambda: default("float64"),
    "default float16": lambda: default("float16"),
    "default bfloat16": lambda: default("bfloat16"),
    "inference mode": inference,
    "autocast": autocast,
    "deterministic": deterministic,
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("way", ["all", "shortlist"])
def test_setting(name: str, threads: int, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    if way == "shortlist":
        monkeypatch.setattr(small, "NUMBERS", 0)
    rows, queries = unit_rows(400, 1), unit_rows(6, 2)
    expected = search_exact(queries, [rows], 10)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with SETTINGS[name]():
            each = searched(rows, queries)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for got in each:
        assert got.cosines.dtype == np.float32
        np.testing.assert_array_equal(got.rows, expected.rows)
        np.testing.assert_array_equal(got.cosines, expected.cosines)


def test_product_is_measured_in_float32_whatever_the_default_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    from unprompt.bank.search import route

    kinds: list[torch.dtype] = []
    timed = route._seconds

    def noted(rows: torch.Tensor, queries: torch.Tensor) -> float:
        kinds.append(rows.dtype)
        return timed(rows, queries)

    monkeypatch.setattr(route, "_seconds", noted)
    with default("float64"):
        assert measured("cpu", "any").within_bound
    assert kinds == [torch.float32, torch.bfloat16]


def test_two_searches_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(small, "NUMBERS", 0)
    rows = unit_rows(20_000, 1)
    bank, threads = PreparedRows([rows]), torch.get_num_threads()
    asked = [unit_rows(20, seed) for seed in range(4)]
    expected = [search_exact(queries, bank, 10) for queries in asked]
    got: dict[int, Neighbours] = {}

    def search(number: int) -> None:
        got[number] = search_exact(asked[number], bank, 10)

    started = [Thread(target=search, args=(number,)) for number in range(len(asked))]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert torch.get_num_threads() == threads
    for number, truth in enumerate(expected):
        np.testing.assert_array_equal(got[number].rows, truth.rows)
        np.testing.assert_array_equal(got[number].cosines, truth.cosines)
