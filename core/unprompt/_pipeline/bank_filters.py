"""Which prompts a bank takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from unprompt._data.texts import given
from unprompt.bank.building import TextFilter
from unprompt.bank.cleaning import MaxTokens
from unprompt.contracts import TextEncoder
from unprompt.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Limits:
    """Which prompts a bank takes.

    Attributes:
        min_length: Letters that a prompt has at least; None: any number.
        max_length: Letters that it has at most; None: any number.
        max_tokens: Tokens of the text encoder that it has at most; None: any number.
        block: Regular expressions; a prompt that one of them matches anywhere is left out.
    """

    min_length: int | None = None
    max_length: int | None = None
    max_tokens: int | None = None
    block: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    value: int | str
    keeps: Callable[[str], bool] = field(repr=False)


def folded(text: str) -> str:
    """What makes two prompts the same: case and the amount of white space do not matter."""
    return " ".join(text.split()).casefold()


def filters_of(limits: Limits, encoder: TextEncoder) -> list[TextFilter]:
    """The filters that limits ask for.

    Args:
        limits: What is left out.
        encoder: Whose tokens are counted.

    Raises:
        ConfigError: A limit is below 1, two leave nothing, a pattern is no regular expression, or
            the encoder does not count tokens.
    """
    low, high = limits.min_length, limits.max_length
    for name, value in (("--min-length", low), ("--max-length", high)):
        if value is not None and value < 1:
            raise ConfigError(f"{name}: should be at least 1, got {value}")
    if low is not None and high is not None and low > high:
        raise ConfigError(f"--min-length {low} is more than --max-length {high}")
    rules: list[TextFilter] = []
    if low is not None:
        rules.append(_Rule("min_length", low, lambda text: len(text) >= low))
    if high is not None:
        rules.append(_Rule("max_length", high, lambda text: len(text) <= high))
    rules += map(_blocked, limits.block)  # before tokens, which take longer to count
    if limits.max_tokens is not None:
        rules.append(MaxTokens(limits.max_tokens, _counter(encoder)))
    return rules


def _counter(encoder: TextEncoder) -> Callable[[str], int]:
    """Counts the tokens of a text encoder."""

    def count(text: str) -> int:
        tokens = encoder.count_tokens(text)
        if tokens is None:
            raise ConfigError("--max-tokens: this text encoder does not count tokens")
        return tokens

    count("")  # now, not after some thousand short prompts
    return count


def _blocked(pattern: str) -> TextFilter:
    """Leaves out what a pattern matches anywhere."""
    try:
        search = re.compile(given(pattern, "--block")).search
    except re.error as error:
        line = f"--block {pattern!r:.80}: not a regular expression: {error}"
        raise ConfigError(line) from error
    return _Rule("block", pattern, lambda text: search(text) is None)
