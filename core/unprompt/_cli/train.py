"""``unprompt train``: fit the members of an experiment, or the tower that a recipe says."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unprompt._cli.console import progress_on
from unprompt._cli.options import Offline, Overrides, Quiet, path_option, yaml_argument
from unprompt.errors import ConfigError

if TYPE_CHECKING:
    from unprompt._pipeline.trained import TrainedMember

WhatToTrain = Annotated[Path, yaml_argument("An experiment's or a recipe's YAML file.")]
Members = Annotated[
    list[str] | None,
    typer.Option("--member", help="A member; repeatable. Default: all without an artifact."),
]
Resume = Annotated[
    Literal["auto", "never"],
    typer.Option(
        help="auto: go on from checkpoints that are there. never: remove them first. A member "
        "that has learned all is in the cache, and is not trained again."
    ),
]
Runs = Annotated[
    Path | None,
    path_option("Where checkpoints and metrics lie. Default: runs/ beside the YAML file."),
]


def train(
    experiment: WhatToTrain,
    members: Members = None,
    resume: Resume = "auto",
    runs: Runs = None,
    overrides: Overrides = None,
    offline: Offline = False,
    quiet: Quiet = False,
) -> None:
    """Train members of an experiment, or the tower of a recipe; what was killed goes on."""
    from unprompt._config.compose import compose

    if not quiet:
        logging.getLogger("unprompt").setLevel(logging.INFO)
    data = compose(experiment, tuple(overrides or ())).data
    if isinstance(data, dict) and "objective" in data:
        if members:
            raise ConfigError("--member: a recipe trains one tower and has no members")
        _recipe(experiment, resume, runs, overrides, quiet)
        return
    from unprompt import _api

    trained = _api.train_members(
        experiment,
        members or (),
        overrides=overrides or (),
        resume=resume == "auto",
        runs=runs,
        offline=offline,
        progress=progress_on(quiet=quiet),
    )
    typer.echo(_table(trained))
    for member in trained:
        typer.echo(str(member.folder))


def _table(trained: Sequence[TrainedMember]) -> str:
    """Scores of members; subsets of the test split below each."""
    from unprompt._cli.cells import text_table
    from unprompt._scoring.digits import fixed, interval

    rows = []
    for member in trained:
        test = [fixed(member.test.score), interval(member.test)]
        learned = "(cached)" if member.seconds is None else f"{member.seconds:.1f} s"
        rows.append([member.name, fixed(member.holdout.score), *test, learned])
        for name, score in member.subsets.items():
            rows.append([f"  {name}", "", fixed(score.score), interval(score), ""])
    return text_table(["", "holdout", "test", "95 % interval", "learned in"], rows)


def _recipe(
    path: Path, resume: str, runs: Path | None, overrides: list[str] | None, quiet: bool
) -> None:
    """Train what a recipe says, and print its model card."""
    from unprompt._recipes.execute import CARD, execute
    from unprompt._recipes.recipe import load_recipe
    from unprompt._registry.plugins import Registry

    registry = Registry()
    recipe = load_recipe(path, registry, tuple(overrides or ()))
    execute(recipe, registry, progress_on(quiet=quiet), resume=resume == "auto", runs=runs)
    typer.echo((recipe.config.tower.path / CARD).read_text(encoding="utf-8"))
