"""What every command needs: the plugins, the runtime and the cache."""

from __future__ import annotations

from dataclasses import dataclass

from unprompt._files.cache import Cache
from unprompt._members.cached_text import CachedTextEncoder
from unprompt._registry.parts import Part
from unprompt._registry.plugins import Registry
from unprompt.contracts import Runtime, TextEncoder
from unprompt.contracts.specs import TextEncoderSpec


@dataclass(frozen=True, slots=True)
class Context:
    """What preparing and predicting need besides members and images.

    Attributes:
        registry: Builds predictors.
        runtime: Device, precision and batch size.
        cache: Keeps artifacts and predictions.
    """

    registry: Registry
    runtime: Runtime
    cache: Cache

    def text_encoder(self, part: Part) -> TextEncoder:
        """Build the text encoder of ``part``; its results are cached."""
        encoder = self.registry.build(part.spec, part.options, self.runtime)
        code = self.registry.foreign_code(part.plugin, TextEncoderSpec)
        return CachedTextEncoder(encoder, self.cache, code)
