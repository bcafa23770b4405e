"""``unprompt plugins new``."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer

from unprompt._cli.console import say
from unprompt._registry.plugins import Registry
from unprompt._scaffold.write import Kind, new_package


def new_command(name: str, *, kind: Kind, output: Path) -> None:
    """Write the package of a new plugin, and say what to type next."""
    folder, names = new_package(name, kind, output, Registry())
    for line in (
        f"cd {shlex.quote(str(folder))}",
        'pip install -e ".[test]" && pytest',
        f"unprompt run examples/{names.plugin}.yaml",
    ):
        say(f"next: {line}")
    typer.echo(str(folder))
