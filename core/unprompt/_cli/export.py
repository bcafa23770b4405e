"""``unprompt plugins export``."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

import typer

from unprompt._registry.installs import Install, installed, installed_distribution
from unprompt._registry.plugins import Registry
from unprompt._runs.run import load_run

_OURS = "unprompt"


def export_command(run: Path | None) -> None:
    """Print a line of a requirements file for each distribution, our own first.

    Args:
        run: A run's folder; None: every plugin that is installed here.

    Raises:
        DataError: The folder is no run's.
    """
    if run is not None:
        manifest = load_run(run).manifest
        version = manifest.versions.get(_OURS, "?")
        known = [Install(distribution=_OURS, version=version), *manifest.plugins.values()]
    else:
        ours = installed_distribution(_OURS, importlib.metadata.version(_OURS))
        known = [ours, *map(installed, Registry().claims)]
    for line in _lines(known):
        typer.echo(line)


def _lines(known: Iterable[Install]) -> list[str]:
    """One line for each distribution; of ours, what says how it was installed."""
    distinct = {(install.distribution, install.url): install for install in known}
    others = [i for i in distinct.values() if i.distribution != _OURS]
    ours = [i for i in distinct.values() if i.distribution == _OURS]
    return [ours[-1].line, *sorted((i.line for i in others), key=str.lower)]
