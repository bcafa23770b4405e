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
    if device.type != "cuda" or values.is_cuda:
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
