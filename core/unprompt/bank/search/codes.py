"""Scores as integers in the same order, which are cheap to compare and to round.

The bits of a floating-point number, read as a signed integer, are in the order of the numbers as
long as these are not negative; flipping all bits but the sign puts the negative ones in order too.
-0 and +0 are the codes -1 and 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def bits_of(scores: torch.Tensor) -> torch.Tensor:
    """The bits of bfloat16 or float32 scores as int16 or int32; shares their memory."""
    import torch

    return scores.view(torch.int16 if scores.dtype == torch.bfloat16 else torch.int32)


def codes_of(scores: torch.Tensor) -> torch.Tensor:
    """Integers in the order of the scores."""
    return in_order(bits_of(scores))


def in_order(bits: torch.Tensor) -> torch.Tensor:
    """Bits as codes, and codes as bits: the mapping is its own inverse."""
    import torch

    info = torch.iinfo(bits.dtype)
    return bits ^ ((bits >> (info.bits - 1)) & info.max)


def values_of(codes: torch.Tensor) -> torch.Tensor:
    """The float64 scores of codes."""
    import torch

    kind = torch.bfloat16 if codes.dtype == torch.int16 else torch.float32
    return in_order(codes).view(kind).double()


def least_before_rounding(codes: torch.Tensor) -> torch.Tensor:
    """The lowest float64 value that float32 scores with these codes can have had.

    A bfloat16 score is a float32 one, rounded to the nearest: it was no lower than half-way to the
    next lower bfloat16. float32 scores are not rounded again.
    """
    import torch

    values = values_of(codes)
    if codes.dtype != torch.int16:
        return values
    return (values + values_of(codes - 1)) / 2


def floor_code(values: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    """Codes that no float32 score of at least ``values`` falls below when it is rounded.

    Args:
        values: float64.
        kind: bfloat16 or float32, what the scores are rounded to.
    """
    import torch

    single = values.float()
    down = torch.nextafter(single, torch.full_like(single, -torch.inf))
    # Rounding keeps the order, so the rounded bound is a bound of rounded scores.
    codes = codes_of(torch.where(single.double() > values, down, single).to(kind))
    return torch.where(codes == 0, -1, codes).to(codes.dtype)  # a score of -0 is no less than 0
