"""``unprompt config``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer
import yaml

from unprompt._config.compose import compose
from unprompt._recipes.recipe import load_recipe
from unprompt._registry.loading import load_ensemble, load_experiment
from unprompt._registry.plugins import Registry
from unprompt.errors import ConfigError, UnpromptError
from unprompt.types import Json


def validate_command(files: Sequence[Path]) -> None:
    """Check every file; report all mistakes of all files, then fail.

    Raises:
        ConfigError: With one line per mistake.
    """
    registry = Registry()
    problems: list[str] = []
    for path in files:
        try:
            kind, _ = load_any(path, registry)
            typer.echo(f"{path}: a valid {kind}")
        except UnpromptError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)


def show_command(path: Path, overrides: Sequence[str]) -> None:
    """Print the resolved configuration."""
    _, plain = load_any(path, Registry(), overrides)
    typer.echo(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), nl=False)


def load_any(
    path: Path, registry: Registry, overrides: Sequence[str] = ()
) -> tuple[str, dict[str, Json]]:
    """Load a YAML file as what its keys say that it is.

    Returns:
        ``ensemble``, ``experiment`` or ``training recipe``, and the resolved content.

    Raises:
        ConfigError: The file has mistakes.
    """
    data = compose(path, overrides).data
    keys = set(data) if isinstance(data, dict) else set()
    if "members" in keys:
        return "ensemble", load_ensemble(path, registry, overrides).plain()
    if "objective" in keys:
        return "training recipe", load_recipe(path, registry, tuple(overrides)).plain()
    return "experiment", load_experiment(path, registry, overrides).plain()
