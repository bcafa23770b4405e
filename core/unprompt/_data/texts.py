"""What counts as the text of a prompt or an id: visible, not too long, letters that UTF-8 has."""

from __future__ import annotations

import json
import math
import unicodedata

from unprompt._files.paths import fits_utf8
from unprompt.errors import ConfigError, DataError

LONGEST = 100_000
"""Letters of the longest text that is read; the longest known prompt has some 2,000, and every
text encoder cuts it at a few hundred words: more letters cost minutes and gigabytes for nothing."""

MOST_COLUMNS = 10_000
"""Columns of the widest table that is read."""


def text_of(value: object, where: str) -> str:
    """A table's value as text; None, NaN and infinity are the empty text.

    Args:
        value: What a row holds.
        where: How error lines name its place.

    Raises:
        DataError: It is neither text nor a number, has half of a surrogate pair, or is too long.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        raise DataError(f"{where} holds {json.dumps(value)}, not text")
    if not isinstance(value, str | int | float):
        raise DataError(f"{where} holds {what_is(value)}, not text")
    return checked(str(value), where)


def checked(text: str, where: str) -> str:
    """The text itself. Raises DataError where it is too long or no UTF-8 can hold it."""
    check_length(text, where)
    if not fits_utf8(text):
        raise DataError(f"{where} holds half of a surrogate pair")
    return text


def given(text: str, what: str) -> str:
    """The text itself, of an option or an argument, whose bytes may be any.

    Args:
        text: As Python has it: a byte that is no UTF-8 is half of a surrogate pair.
        what: Names the option in the error line.

    Raises:
        ConfigError: No UTF-8 can hold it.
    """
    if not fits_utf8(text):
        raise ConfigError(f"{what}: not UTF-8: {text!r:.80}")
    return text


def check_length(value: object, where: str) -> None:
    """Raise DataError for a text of more than `LONGEST` letters."""
    if isinstance(value, str) and len(value) > LONGEST:
        raise DataError(f"{where} holds {len(value):,} letters; at most {LONGEST:,} are read")


def bare(prompt: str) -> str:
    """A prompt without white space around it; empty where none of its letters can be seen.

    Invisible are separators, control characters and format characters, such as U+200B.
    """
    bared = prompt.strip()
    invisible = all(unicodedata.category(letter) in _INVISIBLE for letter in bared)
    return "" if invisible else bared


_INVISIBLE = frozenset(["Cc", "Cf", "Zs", "Zl", "Zp"])


def what_is(value: object) -> str:
    """A value as an error line says what it is."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, int | float):
        return f"the number {value!r:.40}"
    if isinstance(value, list | dict):
        what = "list" if isinstance(value, list) else "object"
        article = "an" if what == "object" or not value else "a"
        return f"{article} {what}" if value else f"{article} empty {what}"
    return f"a {type(value).__name__}"
