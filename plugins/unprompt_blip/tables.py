"""The tables of phrases: from this package, from text files, or from clip-interrogator's lists."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from unprompt import DataError, MissingFileError, Need
from unprompt.artifacts import read_text
from unprompt.towers import missing_line
from unprompt_blip.options import InterrogatorOptions
from unprompt_blip.sources import NAMES, FolderTables, SourceTables, Table, TablesConfig

MERGED: tuple[Table, ...] = tuple(name for name in NAMES if name != "negative")
"""Tables that are ranked together; ``negative`` says what an image should not show."""

LEAST: tuple[Table, ...] = ("flavors", "negative")
"""Tables whose farthest phrases say what an image does not show."""

INSTALL = 'pip install "unprompt[interrogator]"'

SITES = [
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
]
"""Where images are shown: clip-interrogator has no list of trendings, it builds them from these."""


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
        raise MissingFileError([missing_line(need) for need in missing])
    excluded = [re.compile(pattern, re.IGNORECASE) for pattern in options.exclude]
    tables: dict[str, tuple[str, ...]] = {
        name: tuple(
            phrase
            for phrase in _phrases(options.tables, name)
            if not any(pattern.search(phrase) for pattern in excluded)
        )
        for name in options.use or NAMES
    }
    wanted = LEAST if options.mode == "negative" else MERGED
    ranked = [name for name in tables if name in wanted]
    if not any(tables[name] for name in ranked):
        raise DataError(f"no phrase is left in {', '.join(ranked)}: see `exclude` and `tables`")
    return tables


def table_needs(options: InterrogatorOptions) -> list[Need]:
    """The files of `read_tables`, but those that come with this package."""
    config = options.tables
    foreign = _from_clip_interrogator(config)
    if foreign and _installed() is None:
        return [Need("phrase lists of clip-interrogator", "the installed packages", False, INSTALL)]
    files = [name for name in options.use or () if not (foreign and name == "trendings")]
    named = dict.fromkeys([*files, *config.files])
    paths = {name: _path(config, name) for name in NAMES}
    if not named and not any(path.is_file() for path in paths.values()):
        choice = ", ".join(f"{name}.txt" for name in NAMES)
        return [Need(f"table (one of {choice})", str(paths[NAMES[0]].parent), False)]
    return [Need(f"table `{n}`", str(paths[n]), paths[n].is_file()) for n in named]


def _path(config: TablesConfig, name: Table) -> Path:
    """Where a table is, or would be."""
    if name in config.files:
        return config.files[name].path
    if isinstance(config, FolderTables):
        return config.folder.path / f"{name}.txt"
    if _from_clip_interrogator(config):
        return (_installed() or Path()) / "data" / f"{name}.txt"
    return Path(__file__).parent / "tables" / f"{name}.txt"


def _from_clip_interrogator(config: TablesConfig) -> bool:
    return isinstance(config, SourceTables) and config.source == "clip-interrogator"


def _installed() -> Path | None:
    """The folder of clip-interrogator, found without importing it (and with it torch)."""
    spec = importlib.util.find_spec("clip_interrogator")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _phrases(config: TablesConfig, name: Table) -> list[str]:
    """A table's phrases: artists in the two ways in which prompts name them."""
    path = _path(config, name)
    if path.is_file():
        lines = _lines(path)
        if name != "artists":
            return lines
        return [f"{way} {line}" for way in ("by", "inspired by") for line in lines]
    if name != "trendings" or not _from_clip_interrogator(config):
        return []
    forms = ("{}", "trending on {}", "featured on {}", "{} contest winner")
    return [form.format(site) for form in forms for site in SITES]


def _lines(path: Path) -> list[str]:
    """A file's lines that say something. Raises DataError for what is no UTF-8 text."""
    return [line for raw in read_text(path).split("\n") if (line := " ".join(raw.split()))]
