"""Prompts as lists of parts: what lies between commas, prepositions and conjunctions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_PREPOSITIONS = """
about above across after against along among around at atop before behind below beneath beside
between beyond but by during for from in inside into near next off on onto outside over past
through toward towards under underneath upon within without
"""
_LINKS = frozenset(("and", "of", "or", "with"))
"""Any noun phrase can follow them, so that what follows can be replaced alone."""
_OPENERS = _LINKS | frozenset(_PREPOSITIONS.split())
"""Prepositions and conjunctions: a part may begin at one."""
_STARTS = frozenset(("a", "an", "the", "two", "three", "four", "five", "several", "some"))
"""Words that noun phrases begin with."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a prompt that can be dropped, replaced or put elsewhere.

    Attributes:
        words: Such as ``a beige snail``, ``in front of a castle`` or ``by the sea``.
        link: What joins it to the part before: ``,`` or a word such as ``of``; empty for a part
            that follows without one.
    """

    words: str
    link: str = ","

    @property
    def length(self) -> int:
        """Words, the link included."""
        return _count(self.words) + (self.link not in ("", ","))

    @property
    def opens(self) -> bool:
        """Whether it begins with a preposition of its own, as "in a cave" and "sitting on" do."""
        return _opens(self.words)


@lru_cache(1 << 16)  # the same parts are asked about with every prompt that they might go into
def _count(words: str) -> int:
    return len(words.split())


@lru_cache(1 << 16)
def _opens(words: str) -> bool:
    first, *others = words.lower().split()
    return first in _OPENERS or (first.endswith("ing") and not _OPENERS.isdisjoint(others[:1]))


Parts = tuple[Part, ...]


@lru_cache(1 << 14)  # images have prompts of the bank in common, and each is asked about twice
def split(prompt: str) -> Parts:
    """The parts of a prompt, in order; empty pieces between commas are left out."""
    parts: list[Part] = []
    for phrase in prompt.split(","):
        link = ","
        for words in _pieces(phrase.split()):
            if link != "," and words[0].lower() in _LINKS and len(words) > 1:
                link, words = words[0], words[1:]
            parts.append(Part(" ".join(words), link))
            link = ""
    return tuple(parts)


def join(parts: Parts) -> str:
    """The prompt of its parts; of what `split` gave the same prompt, but for white space."""
    text = ""
    for part in parts:
        if not text:
            text = part.words
        elif part.link == ",":
            text += f", {part.words}"
        else:
            text += f" {part.link} {part.words}" if part.link else f" {part.words}"
    return text


def length(parts: Parts) -> int:
    """Words of the prompt."""
    return sum(part.length for part in parts) - (bool(parts) and parts[0].link not in ("", ","))


def _pieces(words: list[str]) -> list[list[str]]:
    """The words of a phrase, divided before its prepositions and conjunctions."""
    starts = [0]
    for i in range(1, len(words)):
        if _begins(words, starts[-1], i):
            starts.append(i)
    return [words[a:b] for a, b in zip(starts, [*starts[1:], len(words)], strict=True) if a < b]


def _begins(words: list[str], start: int, i: int) -> bool:
    """Whether the ``i``-th word begins a part; the part before it began at ``start``.

    ``of`` stays in a part that has a preposition: "in front of", "in the style of"; ``and`` stays
    unless it joins noun phrases: "black and white", "the sun and the moon".
    """
    word, before = words[i].lower(), [earlier.lower() for earlier in words[start:i]]
    following = words[i + 1].lower() if i + 1 < len(words) else ""
    if all(earlier in _OPENERS or earlier.endswith("ing") for earlier in before):
        return False
    if word == "of" and not _OPENERS.isdisjoint(before):
        return False
    if word in ("and", "or"):
        return following in _STARTS
    if word in _OPENERS:
        return True
    return len(before) > 1 and word.endswith("ing") and following in _OPENERS - {"of"}
