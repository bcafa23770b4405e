"""Products of matrices by the quicker of the two libraries that PyTorch brings."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_CPUINFO = Path("/proc/cpuinfo")


def linear(
    states: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    gelu: bool = False,
) -> torch.Tensor:
    """``torch.nn.functional.linear`` without gradients.

    PyTorch multiplies float32 matrices with Intel's MKL, which on AMD's processors keeps to vectors
    of 256 bits. Where the processor has 512, oneDNN takes 0.44 of its time (EPYC, one thread, 4,096
    rows, 384 x 1,536); the results differ as two orders of a sum do.

    Args:
        states: Of shape (..., I).
        weight: Of shape (O, I).
        bias: Of shape (O,), or none.
        gelu: Whether GELU follows; oneDNN applies it as it writes the product.

    Returns:
        Of shape (..., O).
    """
    import torch

    if _onednn_is_quicker() and _is_plain(states, weight):
        then: tuple[str, list[float], str] = ("gelu", [], "none") if gelu else ("none", [], "")
        made: torch.Tensor = torch.ops.mkldnn._linear_pointwise(states, weight, bias, *then)
        return made
    sums = torch.nn.functional.linear(states, weight, bias)
    return torch.nn.functional.gelu(sums) if gelu else sums


def product(rows: torch.Tensor, others: torch.Tensor, out: torch.Tensor) -> None:
    """Put ``rows @ others.T`` into ``out``: inner products, without gradients.

    Args:
        rows: Of shape (m, C); float32 ones on a processor are multiplied as by `linear`.
        others: Of shape (n, C) and the same type.
        out: Of shape (m, n).
    """
    import torch

    with torch.no_grad():
        float32 = rows.dtype == torch.float32  # of 16 bits, both ways are oneDNN's
        if float32 and _onednn_is_quicker() and _is_plain(rows, others):
            out.copy_(linear(rows, others))
        else:
            torch.mm(rows, others.T, out=out)


def quick_linear() -> AbstractContextManager[object]:
    """A block in which the linear layers of anybody's models are `linear`; without gradients."""
    if not _onednn_is_quicker():
        return nullcontext()
    from unprompt._compute.linear_mode import QuickLinear

    return QuickLinear()


def _is_plain(states: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether it is a product of plain matrices in memory, without gradients."""
    import torch

    if torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"):
        return False
    return states.dtype in (torch.float32, torch.bfloat16) and all(
        type(tensor) in (torch.Tensor, torch.nn.Parameter)
        and tensor.dtype == states.dtype
        and tensor.device.type == "cpu"
        and tensor.layout == torch.strided
        for tensor in (states, weight)
    )


@cache
def _onednn_is_quicker() -> bool:
    """Whether MKL would be used, on wide vectors that it does not use.

    It is not measured: which library computes would then change from one process to the next, and
    the last digits of results with it.
    """
    import torch

    return bool(
        torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]  # torch's
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # likewise
        and torch.backends.cpu.get_cpu_capability() == "AVX512"
        and _is_amd()
        and _has_operation()
    )


def _is_amd() -> bool:
    try:
        return "AuthenticAMD" in _CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _has_operation() -> bool:
    """Whether this PyTorch has the operation, which its own compiler uses, and it does the same."""
    import torch

    kind = torch.float32  # whatever torch's default is
    states, weight, bias = (torch.ones(shape, dtype=kind) for shape in ((2, 3), (4, 3), (4,)))
    try:
        made = torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "")
    except (AttributeError, RuntimeError, TypeError):
        return False
    return bool(torch.equal(made, torch.full((2, 4), 4.0, dtype=kind)))
