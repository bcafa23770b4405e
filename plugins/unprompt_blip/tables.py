"""The tables of phrases: from this package, from text files, or from clip-interrogator's lists."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from unprompt import DataError, MissingFileError, Need
from unprompt_blip.options import CLIP_INTERROGATOR, InterrogatorOptions, Table, TablesConfig

NAMES: tuple[Table, ...] = get_args(Table)
MERGED: tuple[Table, ...] = tuple(name for name in NAMES if name != "negative")
"""Tables that are ranked together; ``negative`` says what a picture should not show."""

LEAST: tuple[Table, ...] = ("flavors", "negative")
"""Tables whose farthest phrases say what a picture does not show."""

INSTALL = 'pip install "unprompt[interrogator]"'

SITES = (
    "artstation",
    "behance",
    "cg society",
    "cgsociety",
    "deviantart",
    "dribbble",
    "flickr",
    "instagram",
    "pexels",
    "pinterest",
    "pixabay",
    "pixiv",
    "polycount",
    "reddit",
    "shutterstock",
    "tumblr",
    "unsplash",
    "zbrush central",
)
"""Where pictures are shown: clip-interrogator has no list of trendings, it builds them from these."""


def read_tables(options: InterrogatorOptions) -> dict[str, tuple[str, ...]]:
    """The phrases of every table that is used, in the order of its file, repeats included.

    Args:
        options: Where the tables are, which to use, and what to leave out.

    Raises:
        MissingFileError: A file, or the package that holds it, is not there.
        DataError: A file is not UTF-8 text, or no phrase is left.
    """
    missing = [need for need in table_needs(options) if not need.here]
    if missing:
        raise MissingFileError([_missing_line(need) for need in missing])
    excluded = [re.compile(pattern, re.IGNORECASE) for pattern in options.exclude]
    found: dict[str, tuple[str, ...]] = {}
    for name in options.use or NAMES:
        path = _path(options.tables, name)
        phrases = _written(name, _lines(path)) if path.is_file() else _built(options.tables, name)
        found[name] = tuple(
            phrase for phrase in phrases if not any(one.search(phrase) for one in excluded)
        )
    wanted = LEAST if options.mode == "negative" else MERGED
    ranked = [name for name in found if name in wanted]
    if not any(found[name] for name in ranked):
        raise DataError(f"no phrase is left in {', '.join(ranked)}: see `exclude` and `tables`")
    return found


def table_needs(options: InterrogatorOptions) -> list[Need]:
    """The files of `read_tables`, but those that come with this package."""
    config = options.tables
    if config.source == CLIP_INTERROGATOR and config.folder is None and _installed() is None:
        return [Need("phrase lists of clip-interrogator", "the installed packages", False, INSTALL)]
    named = [name for name in options.use or () if not _built(config, name)]
    named += [name for name in NAMES if getattr(config, name) is not None and name not in named]
    needs = [_need(name, _path(config, name)) for name in named]
    if not any(named or _path(config, name).is_file() for name in NAMES):
        files = ", ".join(f"{name}.txt" for name in NAMES)
        needs = [Need(f"table (one of {files})", str(config.folder and config.folder.path), False)]
    return needs


def _need(name: Table, path: Path) -> Need:
    return Need(f"table `{name}`", str(path), path.is_file())


def _missing_line(need: Need) -> str:
    line = f"no {need.what}: looked in {need.where}"
    return f"{line}; fetch it with: {need.fetch}" if need.fetch else line


def _path(config: TablesConfig, name: Table) -> Path:
    """Where a table is, or would be."""
    own = getattr(config, name)
    if own is not None:
        path: Path = own.path
        return path
    if config.folder is not None:
        return config.folder.path / f"{name}.txt"
    if config.source == CLIP_INTERROGATOR:
        return (_installed() or Path()) / "data" / f"{name}.txt"
    return Path(__file__).parent / "tables" / f"{name}.txt"


def _installed() -> Path | None:
    """The folder of clip-interrogator, found without importing it (and with it torch)."""
    spec = importlib.util.find_spec("clip_interrogator")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _lines(path: Path) -> list[str]:
    """A file's lines that say something. Raises DataError for what is no UTF-8."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path}: not a table of phrases: {error}") from error
    return [line for raw in text.split("\n") if (line := " ".join(raw.split()))]


def _written(name: Table, lines: Sequence[str]) -> list[str]:
    """Lines as they appear in a text: artists in the two ways in which prompts name them."""
    if name != "artists":
        return list(lines)
    return [f"{how} {line}" for how in ("by", "inspired by") for line in lines]


def _built(config: TablesConfig, name: Table) -> list[str]:
    """What stands in for a table that has no file."""
    if config.source != CLIP_INTERROGATOR or config.folder is not None or name != "trendings":
        return []
    forms = ("{}", "trending on {}", "featured on {}", "{} contest winner")
    return [form.format(site) for form in forms for site in SITES]
