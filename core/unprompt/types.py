"""Array types, and the letters that shapes use everywhere.

N images, D = 384 dimensions of the target space, M members, K neighbours, B bank rows,
C dimensions of a CLIP space, H by W pixels.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float32]
"""float32 array; the shape stands in the docstring of whoever takes or gives it."""

DoubleArray: TypeAlias = npt.NDArray[np.float64]
"""float64 array, for sums over many rows."""

Json: TypeAlias = Any
"""Anything that ``json.dumps`` writes."""
