"""``unprompt train``: fit the towers that a recipe says, and print the model card."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from unprompt._cli.console import progress_on
from unprompt._cli.options import Overrides, Quiet, yaml_argument

Recipe = Annotated[Path, yaml_argument("A recipe's YAML file.")]


def train(recipe: Recipe, overrides: Overrides = None, quiet: Quiet = False) -> None:
    """Train what a recipe says, and print its model card."""
    from unprompt._recipes.execute import CARD, execute
    from unprompt._recipes.recipe import load_recipe
    from unprompt._registry.plugins import Registry

    logging.getLogger("unprompt").setLevel(logging.INFO)
    registry = Registry()
    loaded = load_recipe(recipe, registry, tuple(overrides or ()))
    execute(loaded, registry, progress_on(quiet=quiet))
    typer.echo((loaded.config.tower.path / CARD).read_text(encoding="utf-8"))
