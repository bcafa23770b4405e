"""Types of arrays and of plain data.

Shapes use the same letters everywhere: N images, D = 384 dimensions of the target space,
M members, K neighbours, B rows of a prompt bank, C dimensions of a CLIP space, H by W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float32]
"""float32 array; the docstring of the function that takes or returns it gives its shape."""

DoubleArray: TypeAlias = npt.NDArray[np.float64]
"""float64 array, for sums over many rows."""

BoolArray: TypeAlias = npt.NDArray[np.bool_]
"""A yes or no for each of N images."""

PlainData: TypeAlias = (
    "bool | int | float | str | Sequence[PlainData] | Mapping[str, PlainData] | None"
)
"""What ``json.dumps`` writes, such as the keys of caches; tuples are written as lists."""

Json: TypeAlias = Any
"""JSON or YAML that enters or leaves unprompt: nothing is known of its structure."""
