"""What every command works with: plugins, how to compute, and what is known already."""

from __future__ import annotations

from dataclasses import dataclass

from unprompt._files.cache import Cache
from unprompt._members.cached_text import CachedTextEncoder
from unprompt._registry.loading import Part
from unprompt._registry.plugins import Registry
from unprompt.contracts import Runtime, TextEncoder


@dataclass(frozen=True, slots=True)
class Context:
    """What predicting needs besides members and images.

    Attributes:
        registry: Builds predictors.
        runtime: Device, precision and so on.
        cache: Keeps artifacts and predictions.
    """

    registry: Registry
    runtime: Runtime
    cache: Cache

    def text_encoder(self, part: Part) -> TextEncoder:
        """The text encoder that ``part`` describes, its results cached."""
        encoder = self.registry.build(part.spec, part.options, self.runtime)
        return CachedTextEncoder(encoder, self.cache)
