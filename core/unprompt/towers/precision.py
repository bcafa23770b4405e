"""Which device and arithmetic the towers use, and that what comes of it are numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import numpy as np

from unprompt._compute.linear import quick_linear
from unprompt._compute.workers import one_core_where_small
from unprompt._config.models import RuntimeConfig
from unprompt._data.bfloat16 import computes_in_bfloat16
from unprompt.contracts import Runtime
from unprompt.errors import ConfigError, DataError, first_line
from unprompt.types import FloatArray

if TYPE_CHECKING:
    import torch


def check_device(device: str) -> None:
    """Fail now rather than inside a library.

    Args:
        device: A torch device; torch is imported where it is not ``cpu``.

    Raises:
        ConfigError: It cannot be used here.
    """
    if device == "cpu":
        return
    import torch

    try:
        torch.zeros(1, device=device).item()  # `meta` can be made, but never be read
    except (AssertionError, RuntimeError) as error:  # not compiled in; no driver, no such device
        why = first_line(error)
        raise ConfigError(f"runtime.device: {device!r} cannot be used: {why}") from error


def resolve_precision(precision: str, device: str) -> str:
    """``auto`` as bfloat16 where ``device`` computes in it natively, else as float32.

    Args:
        precision: ``float32``, ``bfloat16`` or ``auto``.
        device: A torch device.
    """
    if precision != "auto":
        return precision
    return "bfloat16" if computes_in_bfloat16(device) else "float32"


def resolved(config: RuntimeConfig) -> RuntimeConfig:
    """The same with a precision that says what is computed in, not ``auto``."""
    precision = resolve_precision(config.precision, config.device)
    return config.model_copy(update={"precision": precision})


@contextmanager
def inference(runtime: Runtime, model: torch.nn.Module) -> Iterator[None]:
    """A forward pass of a model without gradients, in the runtime's precision.

    bfloat16 is autocast: products in bfloat16, sums and norms in float32. Not `inference_mode`: in
    it PyTorch 2.14 turns a linear layer on a transposed input, such as the projection of an
    attention with the sequence first, into as many copies of its matrix as there are tokens; a
    ViT-H then takes fourteen times as long as in float32.
    """
    import torch

    half = runtime.precision == "bfloat16"
    kind = torch.device(runtime.device).type
    quick = nullcontext() if half else quick_linear()
    cores = one_core_where_small(parameter_count(model))
    with torch.no_grad(), torch.autocast(kind, torch.bfloat16, enabled=half), quick, cores:
        yield


def parameter_count(model: torch.nn.Module) -> int:
    """How many numbers a model holds."""
    return sum(parameter.numel() for parameter in model.parameters())


def finite(rows: torch.Tensor, owner: str) -> FloatArray:
    """A tower's output, (n, C) of any float type, as float32 in this process's memory.

    A head or a neighbour search would turn anything into a prediction.

    Raises:
        DataError: A value is not finite.
    """
    plain: FloatArray = rows.float().cpu().numpy()
    bad = int((~np.isfinite(plain).all(axis=1)).sum())
    if bad:
        raise DataError(
            f"{owner}: {bad} of {len(plain)} rows are not finite: the checkpoint "
            "is damaged, or overflows in this precision"
        )
    return plain
