"""On a GPU exact search gives the same neighbours and scores, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from unprompt.bank.search import PreparedRows, Rows, search_exact

from .test_search_exact import check, unit_rows


def no_gpu() -> bool:
    import torch

    return not torch.cuda.is_available()


pytestmark = pytest.mark.skipif(no_gpu(), reason="there is no CUDA device")


@pytest.mark.parametrize("stored", ["float16", "float32"])
def test_a_gpu_finds_what_a_processor_finds(stored: str) -> None:
    wide = unit_rows(30_000, 1, dims=256)
    wide[100:200] = wide[0]  # ties
    rows: Rows = wide.astype(np.float16) if stored == "float16" else wide
    queries = np.concatenate([unit_rows(300, 2, dims=256), wide[:1], np.zeros_like(wide[:1])])
    expected = search_exact(queries, [rows], 50)
    check(search_exact(queries, [rows], 50, device="cuda"), expected)
    prepared = PreparedRows([rows], device="cuda")
    check(search_exact(queries, prepared, 50, device="cuda"), expected)


def test_a_search_leaves_the_settings_of_products_as_they_were() -> None:
    import torch

    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "tf32"
    try:
        rows = unit_rows(500, 3)
        search_exact(rows[:5], [rows], 3, device="cuda")
        assert matmul.fp32_precision == "tf32"
        assert matmul.allow_bf16_reduced_precision_reduction
    finally:
        matmul.fp32_precision = before
