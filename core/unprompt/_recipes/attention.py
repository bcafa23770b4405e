"""Attention over a few tokens, on a processor."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext


def short_attention(device: str) -> AbstractContextManager[None]:
    """While a small tower's forward pass runs: attention by plain products on a processor.

    The gradient of PyTorch's fused attention for processors is slow in bfloat16 where there are few
    tokens: on a Zen 5 core, 64 images of 37 tokens, 6 heads of 32, it took 36 ms where that of
    plain products took 6 ms, and half of a ViT's training step. From about 250 tokens on, which no
    small tower has, they take the same time.

    Args:
        device: Type of the device of the pixels: ``cpu``, ``cuda``.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    return sdpa_kernel(SDPBackend.MATH) if device == "cpu" else nullcontext()
