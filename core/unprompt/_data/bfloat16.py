"""Whether a device computes in bfloat16 itself."""

from __future__ import annotations


def computes_in_bfloat16(device: str) -> bool:
    """Whether a torch device has the instructions; others emulate it, slower than float32."""
    import torch

    kind = torch.device(device).type
    if kind == "cuda":
        native: bool = torch.cuda.is_bf16_supported(including_emulation=False)
        return native
    return kind == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())
