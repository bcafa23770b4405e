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


@dataclass(frozen=True, slots=True)
class PredictorSpec(_Spec):
    """Offers a `Predictor`: the target is called with ``(options, runtime)``.

    Attributes:
        reads: Whether the family reads prompts that are in a file instead of predicting them from
            the image; scores keep the two apart.
    """

    reads: bool = False


class DatasetSpec(_Spec):
    """Offers a `Dataset`: the target is called with ``(options,)``."""


class TextEncoderSpec(_Spec):
    """Offers a `TextEncoder`: the target is called with ``(options, runtime)``."""


class ObserverSpec(_Spec):
    """Offers an `Observer`: the target is called with ``(options,)``."""
