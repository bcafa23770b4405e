"""The base of every model that YAML is checked against."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
"""A name that is also a file name, a ``--set`` path and an Optuna parameter."""


class Model(BaseModel):
    """Frozen, strict, and closed: an unknown key is a mistake.

    Strict means that a YAML list fits a ``list`` field, not a ``tuple`` one (unless that field
    says ``strict=False``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
