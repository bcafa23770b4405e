"""Stored rows in the type of the product, and what its error depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from unprompt.bank.search.bounds import LONGEST, RowBounds, widened
from unprompt.bank.search.neighbours import BadRow

if TYPE_CHECKING:
    import torch

CHUNK_BYTES = 1 << 18
"""float32 bytes that are converted at once: they stay in a core's own cache."""


def converted(stored: npt.NDArray[Any], target: torch.Tensor, start: int) -> RowBounds:
    """Round rows into ``target`` and measure them.

    Args:
        stored: float16 or float32 of shape (b, C), b at least 1.
        target: Gets the rows; of the same shape, bfloat16 or float32, on the device of the product.
        start: The number of the first row.

    Returns:
        The bounds of these rows.

    Raises:
        DataError: A row is not finite, or longer than `bounds.LONGEST`; names it.
    """
    import torch

    dims = stored.shape[1]
    kind, device = torch.float32, target.device
    lengths = torch.empty(len(stored), dtype=kind, device=device)
    lost = torch.empty_like(lengths)
    step = max(1, min(len(stored), CHUNK_BYTES // (4 * dims)))
    difference = torch.empty(step, dims, dtype=kind, device=device)
    rounded = target.dtype != torch.float32
    # Few calls for each chunk: between two of them, other threads may have to wait.
    for first in range(0, len(stored), step):
        part = slice(first, first + step)
        piece = stored[part]
        # torch warns of memory that it could not write to, such as a map of a file.
        chunk = torch.from_numpy(piece if piece.flags.writeable else piece.copy())
        single, into = chunk.to(device, kind), target[part]
        torch.linalg.vector_norm(single, dim=1, out=lengths[part])
        into.copy_(single)
        if rounded:
            rest = torch.sub(single, into, out=difference[: len(single)])
            torch.linalg.vector_norm(rest, dim=1, out=lost[part])
    longest = float(lengths.max())
    if not longest <= LONGEST:  # NaN, too
        row = int((~(lengths <= LONGEST)).nonzero()[0])
        finite = bool(torch.from_numpy(stored[row].astype("float32")).isfinite().all())
        raise BadRow(start + row, f"longer than {LONGEST:,.0f}" if finite else "not finite")
    most = widened(float(lost.max()), dims) if rounded else 0.0
    return RowBounds(widened(longest, dims), most)
