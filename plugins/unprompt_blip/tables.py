"""The tables of phrases: from this package, from text files, or from clip-interrogator's lists."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

from unprompt import DataError, MissingFileError, Need
from unprompt_blip.options import InterrogatorOptions
from unprompt_blip.sources import CLIP_INTERROGATOR, NAMES, FolderTables, Table, TablesChoice

MERGED: tuple[Table, ...] = tuple(name for name in NAMES if name != "negative")
"""Tables that are ranked together; ``negative`` says what an image should not show."""

LEAST: tuple[Table, ...] = ("flavors", "negative")
"""Tables whose farthest phrases say what an image does not show."""

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
        raise MissingFileError([_missing_line(need) for need in missing])
    excluded = [re.compile(pattern, re.IGNORECASE) for pattern in options.exclude]
    tables: dict[str, tuple[str, ...]] = {}
    for name in options.use or NAMES:
        path = _path(options.tables, name)
        phrases = _written(name, _lines(path)) if path.is_file() else _built(options.tables, name)
        tables[name] = tuple(
            phrase for phrase in phrases if not any(pattern.search(phrase) for pattern in excluded)
        )
    wanted = LEAST if options.mode == "negative" else MERGED
    ranked = [name for name in tables if name in wanted]
    if not any(tables[name] for name in ranked):
        raise DataError(f"no phrase is left in {', '.join(ranked)}: see `exclude` and `tables`")
    return tables


def table_needs(options: InterrogatorOptions) -> list[Need]:
    """The files of `read_tables`, but those that come with this package."""
    config = options.tables
    if _from_clip_interrogator(config) and _installed() is None:
        return [Need("phrase lists of clip-interrogator", "the installed packages", False, INSTALL)]
    named = [name for name in options.use or () if not _built(config, name)]
    named += [name for name in config.files if name not in named]
    needs = [_need(name, _path(config, name)) for name in named]
    if not any(named or _path(config, name).is_file() for name in NAMES):
        files = ", ".join(f"{name}.txt" for name in NAMES)
        needs = [Need(f"table (one of {files})", str(_path(config, NAMES[0]).parent), False)]
    return needs


def _need(name: Table, path: Path) -> Need:
    return Need(f"table `{name}`", str(path), path.is_file())


def _missing_line(need: Need) -> str:
    line = f"no {need.what}: looked in {need.where}"
    return f"{line}; fetch it with: {need.fetch}" if need.fetch else line


def _path(config: TablesChoice, name: Table) -> Path:
    """Where a table is, or would be."""
    if name in config.files:
        return config.files[name].path
    if isinstance(config, FolderTables):
        return config.folder.path / f"{name}.txt"
    if _from_clip_interrogator(config):
        return (_installed() or Path()) / "data" / f"{name}.txt"
    return Path(__file__).parent / "tables" / f"{name}.txt"


def _from_clip_interrogator(config: TablesChoice) -> bool:
    return not isinstance(config, FolderTables) and config.source == CLIP_INTERROGATOR


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


def _built(config: TablesChoice, name: Table) -> list[str]:
    """What stands in for a table that has no file."""
    if not _from_clip_interrogator(config) or name != "trendings":
        return []
    forms = ("{}", "trending on {}", "featured on {}", "{} contest winner")
    return [form.format(site) for form in forms for site in SITES]
