"""Which shards are named: files, globs, and patterns with braces such as ``{000..099}``."""

from __future__ import annotations

import glob
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from unprompt._config.location import Location
from unprompt._data.globs import glob_entries
from unprompt._data.walking import special_file
from unprompt._files.paths import shown
from unprompt.errors import DataError, named

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d{1,9})\.\.(\d{1,9})")
_MOST = 1_000_000
"""Shards that braces may stand for."""


def _listed(raw: object) -> object:
    """One pattern is a list of one."""
    return [raw] if isinstance(raw, str | Location) and not isinstance(raw, list) else raw


Shards = Annotated[
    tuple[Location, ...],
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
    Field(strict=False, min_length=1),
]
"""One or more files, globs or patterns with braces."""


def shard_paths(patterns: Sequence[Location]) -> tuple[Path, ...]:
    """The files that patterns name, in their order, those of a glob sorted, each once.

    Raises:
        DataError: One is missing or no regular file, a glob matches nothing, or two files have the
            same name, which is the first part of their images' ids; lists all of them.
    """
    paths: dict[Path, None] = {}
    problems: list[str] = []
    for pattern in patterns:
        try:
            paths |= dict.fromkeys(itertools.chain.from_iterable(map(_files, _braces(pattern))))
        except DataError as error:
            problems += error.problems
    wrong = [f"{shown(path)}: {why}" for path in paths if (why := special_file(path))]
    problems += wrong[:_NAMED] + [f"{len(wrong) - _NAMED} more"] * (len(wrong) > _NAMED)
    repeated = [stem for stem, n in Counter(path.stem for path in paths).items() if n > 1]
    if repeated:
        first = [shown(path) for path in paths if path.stem == repeated[0]]
        problems.append(
            f"shards share the names {named(repeated)}, such as {named(first)}: images are named "
            "by them; rename some"
        )
    if problems:
        raise DataError(problems)
    return tuple(paths)


_NAMED = 5
"""Missing shards that are named."""


def _braces(location: Location) -> Iterator[Path]:
    """What a pattern's braces stand for. Raises DataError where they are too many."""
    text = str(location.path)
    parts = _BRACES.split(text)
    choices = [_choices(part) if i % 2 else [part] for i, part in enumerate(parts)]
    count = 1
    for some in choices:
        count *= len(some)
    if count > _MOST:
        raise DataError(f"{shown(text)}: stands for {count:,} files; at most {_MOST:,} are read")
    return (Path("".join(chosen)) for chosen in itertools.product(*choices))


def _choices(inside: str) -> list[str]:
    """``000..099`` or ``a,b``; anything else is part of a name."""
    if ends := _RANGE.fullmatch(inside):
        first, last = int(ends[1]), int(ends[2])
        if last - first >= _MOST:
            raise DataError(f"{{{inside}}} stands for more than {_MOST:,} files")
        return [f"{number:0{len(ends[1])}}" for number in range(first, last + 1)]
    return inside.split(",") if "," in inside else [f"{{{inside}}}"]


def _files(path: Path) -> list[Path]:
    """The file itself, or what a glob matches."""
    if special_file(path) is None or not glob.has_magic(str(path)):
        return [path]
    matches = sorted(entry.path for entry in glob_entries(path) if not entry.problem)
    if not matches:
        raise DataError(f"{shown(path)}: no file matches")
    return matches
