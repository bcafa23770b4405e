"""Products on a GPU that add up as the proof in `bounds` assumes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@contextmanager
def float32_sums(device: torch.device) -> Iterator[None]:
    """Sums of products in float32, and float32 factors whole; what was set before comes back.

    cuBLAS may otherwise add parts of a bfloat16 product in bfloat16, or round float32 to TF32
    where whoever called has allowed it.
    """
    import torch

    if device.type != "cuda":
        yield
        return
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_bf16_reduced_precision_reduction, matmul.fp32_precision
    matmul.allow_bf16_reduced_precision_reduction, matmul.fp32_precision = False, "ieee"
    try:
        yield
    finally:
        matmul.allow_bf16_reduced_precision_reduction, matmul.fp32_precision = before
