"""Which arithmetic the towers use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from unprompt.config.models import RuntimeConfig
from unprompt.contracts import Runtime


def resolve_precision(precision: str, device: str) -> str:
    """``auto`` as bfloat16 where ``device`` computes in it natively, else as float32.

    Args:
        precision: ``float32``, ``bfloat16`` or ``auto``.
        device: A torch device.
    """
    if precision != "auto":
        return precision
    import torch

    kind = torch.device(device).type
    if kind == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Without these instructions a CPU emulates bfloat16, slower than float32.
        native = kind == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return "bfloat16" if native else "float32"


def resolved(config: RuntimeConfig) -> RuntimeConfig:
    """The same with a precision that says what is computed in, not ``auto``."""
    precision = resolve_precision(config.precision, config.device)
    return config.model_copy(update={"precision": precision})


@contextmanager
def inference(runtime: Runtime) -> Iterator[None]:
    """A forward pass without gradients, in the runtime's precision.

    bfloat16 is autocast: products in bfloat16, sums and norms in float32. Not `inference_mode`: in
    it PyTorch 2.14 turns a linear layer on a transposed input, such as the projection of an
    attention with the sequence first, into as many copies of the weights as there are tokens; a
    ViT-H then takes fourteen times as long as in float32.
    """
    import torch

    half = runtime.precision == "bfloat16"
    kind = torch.device(runtime.device).type
    with torch.no_grad(), torch.autocast(kind, torch.bfloat16, enabled=half):
        yield
