"""Products that add up as the proof in `bounds` assumes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@contextmanager
def float32_sums(device: torch.device) -> Iterator[None]:
    """Sums of products in float32, and float32 factors whole; what was set before comes back.

    cuBLAS may otherwise add parts of a bfloat16 product in bfloat16, and it or oneDNN may round
    float32 factors to fewer bits where whoever called has allowed it.
    """
    import torch

    cuda = torch.backends.cuda.matmul
    onednn = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # torch sets it at import
    if device.type == "cpu" and onednn.fp32_precision in ("none", "ieee"):
        yield  # nothing is set, so that searches of several threads have nothing to put back
        return
    matmul = cuda if device.type == "cuda" else onednn
    before = matmul.fp32_precision, cuda.allow_bf16_reduced_precision_reduction
    matmul.fp32_precision, cuda.allow_bf16_reduced_precision_reduction = "ieee", False
    try:
        yield
    finally:
        matmul.fp32_precision, cuda.allow_bf16_reduced_precision_reduction = before
