"""Specs: descriptions of what a plugin offers, which import nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class _Spec:
    """The fields of every spec.

    Attributes:
        name: The plugin's name in YAML, equal to the entry point's.
        summary: One line for tables.
        options: A pydantic model (frozen, ``extra="forbid"``); its field descriptions document
            the options.
        target: ``package.module:Class``, imported when it is first used.
        extra: What to install if importing the target fails, such as ``unprompt[interrogator]``.
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
