"""The images that were found, and every file beside them that is left out, with the reason."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unprompt._data.kinds import NOT_AN_IMAGE, SUFFIXES, suffix_of
from unprompt._files.paths import shown
from unprompt.errors import named

NAMED = 5
"""Files that are named for each reason; the others are counted."""
PROBLEMS = 20
"""Files that look like images and cannot be read that are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not predicted.

    Attributes:
        path: The file, as error lines print it.
        reason: Why.
        error: Whether it is an image file, or a folder that may hold some, and cannot be read: then
            it stops a prediction that does not skip unreadable images. Links to nothing and
            formats that are not read are no errors.
        listed: False for a folder that cannot be searched, which is no file.
    """

    path: str
    reason: str
    error: bool = False
    listed: bool = True

    @property
    def line(self) -> str:
        """File and reason."""
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Found:
    """What files, folders and globs name.

    Attributes:
        paths: Each ``image_id`` with its file.
        left_out: Every other file.
    """

    paths: Mapping[str, Path]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What is to be said of the files of a prediction, beside its rows.

    Attributes:
        left_out: Every file that was found and not predicted.
        notes: Lines on images that were read in another way than others.
    """

    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self, count: int, verb: str = "predicted") -> list[str]:
        """The notes and, where anything was left out, what, why, and how many files there are.

        Args:
            count: How many images were taken.
            verb: What became of them.
        """
        if not self.left_out:
            return list(self.notes)
        errors = [file for file in self.left_out if file.error]
        others = [file for file in self.left_out if not file.error]
        skipped = [f"skipped: {line}" for line in bounded([file.line for file in errors])]
        return [*self.notes, *skipped, *_by_reason(others), self._sum(count, verb)]

    def _sum(self, count: int, verb: str) -> str:
        """Every file once: taken, skipped or left out."""
        skipped = sum(file.listed and file.error for file in self.left_out)
        outside = sum(file.listed and not file.error for file in self.left_out)
        folders = sum(not file.listed for file in self.left_out)
        more = f"; {_count(folders, 'folder')} cannot be searched" if folders else ""
        return (
            f"{_count(count + skipped + outside, 'file')}: {count} {verb}, "
            f"{skipped} skipped, {outside} left out{more}"
        )


def unnamed(paths: Sequence[Path]) -> list[str]:
    """At most one line on images beside ``paths``, in the same folders, that are none of these."""
    known = {os.path.abspath(path) for path in paths}
    others = [
        shown(os.path.join(folder, name))
        for folder in sorted({os.path.dirname(path) for path in known})
        for name in _names(folder)
        if suffix_of(name) in SUFFIXES and os.path.join(folder, name) not in known
    ]
    if not others:
        return []
    return [f"left out, no row names it: {_count(len(others), 'file')}: {named(others)}"]


def _names(folder: str) -> list[str]:
    """The names in a folder that are not hidden; none where it cannot be listed."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return []


def bounded(lines: Sequence[str]) -> list[str]:
    """The first `PROBLEMS` lines on unreadable images, and how many more there are."""
    more = len(lines) - PROBLEMS
    return [*lines[:PROBLEMS], *([f"{more} more cannot be read"] if more > 0 else [])]


def _by_reason(left_out: Sequence[LeftOut]) -> Iterator[str]:
    """One line per reason, with its first files."""
    for reason, times in Counter(file.reason for file in left_out).items():
        paths = [file.path for file in left_out if file.reason == reason]
        kinds = f" ({suffixes(paths)})" if reason == NOT_AN_IMAGE else ""
        yield f"left out, {reason}: {_count(times, 'file')}{kinds}: {named(paths, limit=NAMED)}"


def suffixes(paths: Sequence[str]) -> str:
    """How many files have which suffix, the most frequent first: ``12 .txt, 1 .json``."""
    counts = Counter(suffix_of(path) for path in paths).most_common()
    parts = [f"{times} {'.' + suffix if suffix else 'without suffix'}" for suffix, times in counts]
    return ", ".join([*parts[:NAMED], *(["..."] if len(parts) > NAMED else [])])


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
