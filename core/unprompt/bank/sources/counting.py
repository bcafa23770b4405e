"""Counts that a table has beside its prompts."""

from __future__ import annotations

import re

from unprompt._data.texts import what_is
from unprompt.errors import DataError

MOST = 2**53
"""The highest count, and the highest sum of a bank's counts: floats and JSON readers keep it."""

_DIGITS = re.compile(r"\s*\+?([0-9]{1,40})(\.0*)?\s*")


def count_of(value: object, where: str, column: str | None) -> int:
    """A table's value as a count.

    Args:
        value: What a row holds: an integer, a float that is one, or digits.
        where: How error lines name the row.
        column: The name of the column.

    Raises:
        DataError: It is no integer from 1 to `MOST`.
    """
    count = value
    if isinstance(value, str) and (digits := _DIGITS.fullmatch(value)):
        count = int(digits[1])
    elif isinstance(value, float) and value.is_integer():
        count = int(value)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        problem = f"column {column!r} holds {what_is(value)}, not a count from 1 to {MOST:,}"
        raise DataError(f"{where}: {problem}")
    return count
