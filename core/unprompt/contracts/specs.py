"""What a plugin's hooks answer: light descriptions of the parts that it offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class _Spec:
    """What every kind of spec says; light, because listing plugins imports no torch.

    Attributes:
        name: The entry point's name: what YAML writes.
        summary: One line for tables.
        options: A pydantic model (frozen, ``extra="forbid"``); field descriptions are its docs.
        target: ``package.module:Class``, imported only when used.
        extra: What to install when importing the target fails, such as ``unprompt[interrogator]``.
    """

    name: str
    summary: str
    options: type[BaseModel]
    target: str
    extra: str | None = None


class PredictorSpec(_Spec):
    """Offers a `Predictor`: the target is called with ``(options, runtime)``."""


class DatasetSpec(_Spec):
    """Offers a `Dataset`: the target is called with ``(options,)``."""


class TextEncoderSpec(_Spec):
    """Offers a `TextEncoder`: the target is called with ``(options, runtime)``."""
