"""The kernel that YAML chooses: one of them, or the best of them on train images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from unprompt import DataError, Model, choice_by_name
from unprompt.artifacts import read_json
from unprompt_knn.kernel import Power, Rank, Softmax
from unprompt_knn.ridge import Ridge

Kernel = Softmax | Power | Ridge | Rank
KERNELS: dict[str, type[Softmax | Power | Ridge | Rank]] = {
    "softmax": Softmax,
    "power": Power,
    "ridge": Ridge,
    "rank": Rank,
}
FEWEST = 5
"""Neighbours at least, where their number is chosen: a mean of fewer is mostly noise."""


class Auto(Model):
    """Kernel, number and K with the best mean cosine on images whose prompts are known."""

    name: Literal["auto"] = Field(
        default="auto",
        description="auto: the kernel, its number and how many of the `neighbours` to use (all, a "
        f"half, a quarter and so on down to {FEWEST}) with the best mean cosine on train images.",
    )
    fit: int = Field(
        default=500,
        ge=1,
        description="Of auto: as many train images. Towers see them once, whatever is tried.",
    )
    among: tuple[Literal["softmax", "power", "ridge", "rank"], ...] = Field(
        default=("softmax", "power", "ridge", "rank"),
        strict=False,
        min_length=1,
        description="Of auto: the kernels to choose from.",
    )


Written = Annotated[
    Softmax | Power | Ridge | Rank | Auto,
    choice_by_name("name", "softmax", {**KERNELS, "auto": Auto}),
]
"""A kernel as YAML names it."""
_OneKernel = Annotated[Kernel, choice_by_name("name", "softmax", KERNELS)]


class Fitted(BaseModel):
    """What a fit has chosen.

    Attributes:
        kernel: With its number.
        neighbours: K.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kernel: _OneKernel
    neighbours: int = Field(ge=1)


def to_try(kernel: Kernel | Auto, neighbours: int) -> list[Fitted]:
    """What a fit chooses from; the first of those that are equally good is taken.

    Args:
        kernel: As YAML says it.
        neighbours: K as YAML says it.
    """
    if not isinstance(kernel, Auto):
        return [Fitted(kernel=choice, neighbours=neighbours) for choice in kernel.choices()]
    counts = [neighbours]
    while counts[-1] // 2 >= FEWEST:
        counts.append(counts[-1] // 2)
    kernels = [choice for name in kernel.among for choice in KERNELS[name]().choices()]
    return [Fitted(kernel=choice, neighbours=count) for count in counts for choice in kernels]


def written(kernel: Kernel | Auto, fitted: Fitted) -> dict[str, object]:
    """What the artifact keeps: the number alone where the rest is as YAML says it."""
    if isinstance(kernel, Auto):
        return fitted.model_dump(mode="json")
    return {kernel.number: getattr(fitted.kernel, kernel.number)}


def read_fitted(path: Path, kernel: Kernel | Auto, neighbours: int) -> Fitted:
    """What `written` gave, from a file.

    Raises:
        DataError: The file is missing or damaged, or holds something else.
    """
    if isinstance(kernel, Auto):
        chosen: Fitted = read_json(path, Fitted)
        if chosen.neighbours <= neighbours and chosen.kernel.name in kernel.among:
            return chosen
        raise DataError(
            f"{path}: holds {chosen.kernel.name} of {chosen.neighbours} neighbours, which is not "
            f"among what {', '.join(kernel.among)} and {neighbours} neighbours leave to choose from"
        )
    return Fitted(kernel=kernel.fitted(path), neighbours=neighbours)
