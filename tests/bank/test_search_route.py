"""The type of the product is measured once for a machine, kept, and logged."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from unprompt.bank.search import PreparedRows, route, search_exact, small
from unprompt.bank.search.route import Route, product_kind, route_of


@pytest.fixture(autouse=True)
def unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / "cache"))
    route_of.cache_clear()
    yield
    route_of.cache_clear()


def test_kept_in_the_cache_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="unprompt"):
        first = route_of("cpu")
    (entry,) = (tmp_path / "cache" / "search-routes").glob("*/content-*/route.json")
    assert json.loads(entry.read_text(encoding="utf-8")) == first.model_dump()
    assert first.processor in caplog.text
    route_of.cache_clear()
    assert route_of("cpu") == first  # a second measurement would differ in some digit


def test_16_bit_product_of_this_machine_keeps_its_bound() -> None:
    assert route_of("cpu").within_bound


def test_cache_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cache").write_text("in the way", encoding="utf-8")
    with caplog.at_level(logging.INFO, logger="unprompt"):
        assert route_of("cpu").ratio > 0
    assert "exact search by" in caplog.text


@pytest.mark.parametrize(
    ("ratio", "within", "kind"),
    [(4.0, True, "bfloat16"), (1.1, True, "float32"), (4.0, False, "float32")],
)
def test_choice(ratio: float, within: bool, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    measured = Route(processor="any", ratio=ratio, within_bound=within)
    monkeypatch.setattr(small, "NUMBERS", 0)  # a bank of any size is searched by products
    monkeypatch.setattr(route, "measured", lambda device, processor: measured)
    assert product_kind(torch.device("cpu")) == getattr(torch, kind)
    rows = np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32)
    expected = np.argsort(-(rows[:5].astype(np.float64) @ rows.T.astype(np.float64)))[:, :4]
    np.testing.assert_array_equal(search_exact(rows[:5], [rows], 4).rows, expected)
    assert PreparedRows([rows]).kind == getattr(torch, kind)
