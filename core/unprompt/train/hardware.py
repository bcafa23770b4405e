"""What a training ran on, for cards."""

from __future__ import annotations

import os
import platform


def hardware(device: str) -> str:
    """A GPU's name, or the processor's cores and architecture.

    Args:
        device: A torch device, such as ``cpu`` or ``cuda:0``.
    """
    if device.startswith("cuda"):
        import torch

        return str(torch.cuda.get_device_name(device))
    return f"{os.cpu_count()} cores ({platform.machine()})"
