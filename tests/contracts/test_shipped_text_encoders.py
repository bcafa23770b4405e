"""The text encoders minilm and `HashedWords` keep the contract, with and without the cache."""

from __future__ import annotations

import pytest

from unprompt import Runtime, TextEncoder, TextEncoderSpec
from unprompt._files.cache import Cache
from unprompt._members.cached_text import CachedTextEncoder
from unprompt._registry.plugins import Registry
from unprompt.testing import HashedWords, TextEncoderContract
from unprompt.testing.text_encoder import MakeEncoder


class TestMiniLM(TextEncoderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_encoder(cls) -> MakeEncoder:
        def build(runtime: Runtime) -> TextEncoder:
            registry = Registry()
            spec = registry.spec("minilm", TextEncoderSpec)
            encoder: TextEncoder = registry.build(spec, spec.options(), runtime)
            return encoder

        return build


class TestHashedWords(TextEncoderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_encoder(cls) -> MakeEncoder:
        return lambda runtime: HashedWords()


class TestCached(TextEncoderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_encoder(cls, tmp_path_factory: pytest.TempPathFactory) -> MakeEncoder:
        cache = Cache(tmp_path_factory.mktemp("cache"))
        return lambda runtime: CachedTextEncoder(HashedWords(), cache)
