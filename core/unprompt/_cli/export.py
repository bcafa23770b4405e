"""``unprompt plugins export``."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

import typer
from pydantic import BaseModel, ConfigDict, TypeAdapter

from unprompt._files import paths
from unprompt._files.reading import read_typed
from unprompt._registry.installs import (
    MANIFEST,
    Install,
    RecordedInstall,
    installed,
    installed_distribution,
)
from unprompt._registry.plugins import Registry
from unprompt.errors import DataError

_OURS = "unprompt"


def export_command(run: Path | None) -> None:
    """Print a line of a requirements file for each distribution, our own first.

    Args:
        run: A run's folder; None: every plugin that is installed here.

    Raises:
        DataError: The folder is no run's.
    """
    if run is not None:
        had = _had(run)
        version = had.versions.get(_OURS, "?")
        known = [Install(distribution=_OURS, version=version), *had.plugins.values()]
    else:
        ours = installed_distribution(_OURS, importlib.metadata.version(_OURS))
        known = [ours, *map(installed, Registry().claims)]
    for line in _lines(known):
        typer.echo(line)


class _Had(BaseModel):
    """What is asked of a manifest, which may be of another version: that is when it is asked."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    plugins: dict[str, RecordedInstall]
    versions: dict[str, str] = {}


def _had(run: Path) -> _Had:
    if not paths.is_file(run / MANIFEST):
        raise DataError(f"{paths.shown(run)}: no {MANIFEST} in it, so it is no finished run")
    return read_typed(run / MANIFEST, TypeAdapter(_Had))


def _lines(known: Iterable[Install]) -> list[str]:
    """One line for each distribution; of ours, what says how it was installed."""
    distinct = {(install.distribution, install.url): install for install in known}
    others = [i for i in distinct.values() if i.distribution != _OURS]
    ours = [i for i in distinct.values() if i.distribution == _OURS]
    return [ours[-1].line, *sorted((i.line for i in others), key=str.lower)]
