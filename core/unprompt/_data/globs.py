"""Globs: matched against what `walk` finds, so that nothing is passed over or entered twice."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from unprompt._data.walking import Entry, walk
from unprompt._files.paths import kind_of

ANY_DEPTH = "**"


def glob_entries(pattern: Path) -> Iterator[Entry]:
    """What a glob matches, and the folders that it would have to enter and that cannot be listed.

    As in the standard library's `glob`: ``**`` is any number of folders, and names that start
    with a dot are matched only by a part that does. A folder that a glob without ``**`` matches
    is an entry, too.

    Raises:
        DataError: The folder where the glob starts cannot be looked at.
    """
    parts = pattern.parts
    start = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    base, patterns = Path(*parts[:start]), parts[start:]
    if kind_of(base) != "folder":
        return
    for entry in walk(base, lambda names, _: _leads(names, patterns)):
        passed = entry.folder and ANY_DEPTH in patterns  # what it holds is matched itself
        if entry.unlisted or (_matches(entry.parts, patterns) and not passed):
            yield entry


def _matches(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether a path is what the whole pattern describes."""
    if not patterns:
        return not names
    if patterns[0] == ANY_DEPTH:
        return _matches(names, patterns[1:]) or (
            bool(names) and not names[0].startswith(".") and _matches(names[1:], patterns)
        )
    return bool(names) and _fits(names[0], patterns[0]) and _matches(names[1:], patterns[1:])


def _leads(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether something below the folder ``names`` may match."""
    if not names or not patterns:
        return bool(patterns)
    if patterns[0] == ANY_DEPTH:
        return _leads(names, patterns[1:]) or (
            not names[0].startswith(".") and _leads(names[1:], patterns)
        )
    return _fits(names[0], patterns[0]) and _leads(names[1:], patterns[1:])


def _fits(name: str, pattern: str) -> bool:
    if name.startswith(".") and not re.match(r"\.|\[\.\]", pattern):
        return False
    return fnmatchcase(name, pattern)
