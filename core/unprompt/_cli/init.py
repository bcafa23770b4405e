"""``unprompt init``: the ensembles and experiments that ship, as files to change."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import typer

from unprompt._cli.console import say
from unprompt._cli.schema import MADE_BY, as_text, schema
from unprompt._config.shipped import FOLDERS, shipped_folder
from unprompt._files.paths import is_folder, kind_of, shown
from unprompt._files.writing import replacing
from unprompt._registry.plugins import Registry
from unprompt._registry.schema import described_plugins
from unprompt.errors import DataError, OutputError

SCHEMA = "schema.json"
"""The file's name beside the YAML files, whose first line names it."""

_FIRST_RUN = "experiments/quickstart.yaml"
_REAL_IMAGES = "ensembles/strong.yaml"


def init_command(folder: Path, *, overwrite: bool) -> None:
    """Write what is not there yet, or nothing.

    Raises:
        DataError: ``folder`` is none, or the installation lacks the files.
        OutputError: A file that exists is another one, or cannot be written.
    """
    if kind_of(folder) not in ("missing", "folder"):
        raise DataError(f"{shown(folder)}: is a {kind_of(folder)}, not a folder")
    wanted = {folder / name: text for name, text in _files().items()}
    if not overwrite:
        _refuse_others(wanted)
    new = {path: text for path, text in wanted.items() if _content(path) != text}
    with ExitStack() as files:  # each gets its name when all are written
        for path, text in new.items():
            part = files.enter_context(replacing(path))
            part.write_text(text, encoding="utf-8")
    for path in new:
        typer.echo(str(path))
    if len(new) < len(wanted):
        typer.echo(f"{len(wanted) - len(new)} of {len(wanted)} files were there already")
    typer.echo("\nNext:")
    typer.echo(f"  unprompt run {shlex.quote(str(folder / _FIRST_RUN))}")
    typer.echo(f"  unprompt check {shlex.quote(str(folder / _REAL_IMAGES))}")


def _files() -> dict[str, str]:
    """Every file by its path in the folder: those that ship, and schemas of the plugins here."""
    made: dict[str, str] = {}
    for name in FOLDERS:
        source = shipped_folder(name)
        files = sorted(source.glob("*.yaml")) if is_folder(source) else []
        if not files:
            raise DataError(f"{shown(source)}: no YAML files there: install unprompt again")
        made |= {f"{name}/{path.name}": path.read_text(encoding="utf-8") for path in files}
    return made | _schemas()


def _schemas() -> dict[str, str]:
    """Schemas with every plugin that loads; the others are named, and stay free to use."""
    registry = Registry()
    claims, problems = described_plugins(registry)
    for line in problems:
        say(f"{line}; its options are not in the schemas")
    return {
        f"{kind}s/{SCHEMA}": as_text(schema(kind, registry, claims, others=bool(problems)))
        for kind in ("ensemble", "experiment")
    }


def _refuse_others(wanted: Mapping[Path, str]) -> None:
    """Raise where a file that would be replaced is not ours, or was changed."""
    problems = []
    for path, text in wanted.items():
        if kind_of(path) == "missing" or _content(path) == text or _is_our_schema(path):
            continue
        problems.append(f"{shown(path)}: is there already and different; --overwrite replaces it")
    if problems:
        raise OutputError(problems)


def _content(path: Path) -> str | None:
    """A file's text; None where there is no such text file."""
    if kind_of(path) != "file":
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _is_our_schema(path: Path) -> bool:
    """Whether a file is a schema that a command of ours made: it is made anew."""
    if path.name != SCHEMA:
        return False
    try:
        content = json.loads(_content(path) or "null")
    except ValueError:
        return False
    return isinstance(content, dict) and str(content.get("$comment")).startswith(MADE_BY)
