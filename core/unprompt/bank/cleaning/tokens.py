"""A limit on the tokens of a prompt: text encoders do not see what is behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from unprompt.errors import ConfigError

SPECIAL = 2
"""Tokens that a tokenizer puts around a text."""


@dataclass(frozen=True, slots=True)
class MaxTokens:
    """Keeps prompts of at most some tokens.

    Attributes:
        value: How many, those around the text included.
        count: Text -> its number of tokens, which must not be cut at the encoder's own limit.
    """

    value: int
    count: Callable[[str], int] = field(repr=False)

    def __post_init__(self) -> None:
        """Check the limit."""
        if self.value <= SPECIAL:
            raise ConfigError(
                f"--max-tokens: should be at least {SPECIAL + 1}, got {self.value}: two are those "
                "around the text"
            )

    @property
    def name(self) -> str:
        """As a bank's manifest names it."""
        return "max_tokens"

    def keeps(self, text: str) -> bool:
        """Whether a prompt stays.

        A token is a letter or more: most prompts are short enough without counting.
        """
        if text.isascii() and len(text) + SPECIAL <= self.value:
            return True
        return self.count(text) <= self.value
