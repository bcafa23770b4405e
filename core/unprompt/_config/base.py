"""The base class of every configuration model."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=128)]
"""A name that can also be a file name, part of a ``--set`` path and an Optuna parameter.

File systems take 255 bytes, of which file names of a run add up to 16 and run ids up to 24.
"""


class Model(BaseModel):
    """A pydantic model that is frozen, strict, and refuses unknown keys.

    Strict means that a YAML list fits a ``list`` field, not a ``tuple`` one (unless that field
    has ``strict=False``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
