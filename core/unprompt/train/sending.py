"""What belongs to a batch, such as its targets, on the device that computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def sent(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Values of the processor's memory, on a device.

    ``values.to(device)`` waits until a GPU has done all that it was asked to do before; from
    page-locked memory a copy is one more thing that it is asked to do.
    """
    import torch

    if device.type != "cuda" or values.is_cuda or torch.compiler.is_compiling():
        return values.to(device)  # a compiled step has its own copies
    return values.pin_memory().to(device, non_blocking=True)
