"""A limit on tokens counts only where letters do not decide it already."""

from __future__ import annotations

import pytest

from unprompt import ConfigError
from unprompt.bank.cleaning import MaxTokens


def test_a_prompt_stays_up_to_its_limit() -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text.split()) + 2

    limit = MaxTokens(6, count)
    assert (limit.name, limit.value) == ("max_tokens", 6)
    assert limit.keeps("a cat on grass") and not limit.keeps("a cat on wet grass")
    assert counted == ["a cat on grass", "a cat on wet grass"]
    assert limit.keeps("cats") and limit.keeps("über")
    assert counted[2:] == ["über"]  # a letter beyond ASCII may be several tokens


def test_a_limit_below_one_token_is_refused() -> None:
    with pytest.raises(ConfigError, match="--max-tokens: should be at least 3, got 2"):
        MaxTokens(2, len)
