"""How much a neighbour counts, from its CLIP cosine."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from unprompt import Model


class KernelOptions(Model):
    """Cosines -> weights."""

    name: Literal["softmax", "power"] = Field(
        default="softmax",
        description="softmax: exp(temperature * cosine). power: 1 / (d^power + epsilon) with "
        "d = 1 - cosine, the 68th place's kernel.",
    )
    temperature: float = Field(
        default=20.0, gt=0, allow_inf_nan=False, description="Of softmax; higher is sharper."
    )
    fit: int = Field(
        default=0,
        ge=0,
        description="Train pictures on which softmax's temperature is chosen instead, each "
        "without prompts that nearly are its own; 0: it is as given.",
    )
    power: float = Field(default=6.0, gt=0, allow_inf_nan=False, description="Of power.")
    epsilon: float = Field(
        default=1e-4, gt=0, allow_inf_nan=False, description="Of power: keeps weights finite."
    )

    @model_validator(mode="after")
    def _check(self) -> KernelOptions:
        if self.fit and self.name != "softmax":
            raise PydanticCustomError("kernel", "`fit` belongs to the kernel softmax")
        return self


def weights(cosines: npt.NDArray[np.float32], options: KernelOptions) -> npt.NDArray[np.float64]:
    """Each neighbour's share of the weighted sum.

    Args:
        cosines: Of shape (n, K), K > 0.
        options: Which kernel.

    Returns:
        float64 of shape (n, K), >= 0, each row adding up to 1. A nearer neighbour never weighs
        less than a farther one; cosines above 1 by rounding count as 1.

    Source: the power kernel is the seed solution's, DESIGN section 7.
    """
    wide = np.minimum(cosines.astype(np.float64), 1.0)
    if options.name == "softmax":
        raw = np.exp(options.temperature * (wide - wide.max(axis=1, keepdims=True)))
    else:
        raw = 1.0 / ((1.0 - wide) ** options.power + options.epsilon)
    shares: npt.NDArray[np.float64] = raw / raw.sum(axis=1, keepdims=True)
    return shares
