"""The model card that stands beside a trained checkpoint."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import yaml

from unprompt._members.training import TrainingPart
from unprompt._recipes.recipe import EmbeddingConfig, Recipe
from unprompt._scoring.digits import with_interval
from unprompt.errors import named
from unprompt.train.hardware import hardware

if TYPE_CHECKING:
    from unprompt._recipes.execute import Trained

DATASET = {"plugin", "options"}


def card(recipe: Recipe, trained: Trained) -> str:
    """A Markdown card: what it is, the command, data, options, time, hardware and scores."""
    config, fitted = recipe.config, trained.fitted
    training = config.training
    teacher = config.teacher if isinstance(config, EmbeddingConfig) else None
    parameters = sum(parameter.numel() for parameter in trained.task.model.parameters())
    validation = ", ".join(f"{name} {value:.4f}" for name, value in fitted.scores.items())
    rows = {
        "command": f"`unprompt train {recipe.path}`",
        "objective": config.objective,
        "parameters": f"{parameters:,} while training; stored as float16",
        "data": f"`{_flow(recipe.dataset.plain())}`, of which {config.validation} are held out for "
        f"validation and the last {config.test} for the test",
        "start": f"checkpoint with SHA-256 `{trained.start}`" if trained.start else "",
        "teacher": f"`{teacher.path.name}`" if teacher else "",
        "all parts, the start's included": parts_row(trained.parts),
        "options": f"`{_flow(_changed(recipe))}`",
        "steps": f"{fitted.steps:,} of {training.batch_size} images, {training.epochs} epochs",
        "time": f"{fitted.seconds / 60:.0f} minutes, {config.runtime.precision}, on "
        f"{hardware(config.runtime.device)}",
        "training and validation images that cannot be read": _counted(fitted.broken),
        "test images that cannot be read": _counted(trained.tested.broken),
        "validation, which chose the parameters": validation,
        "test, with 95 % intervals": ", ".join(
            f"{name} {with_interval(score, signed=False)}"
            for name, score in trained.tested.scores.items()
        ),
        "SHA-256 of the checkpoint": f"`{trained.checkpoint}`",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items() if value)
    return (
        f"# {config.name}\n\nA small tower, written by its recipe; not for real images.\n\n"
        f"| | |\n|---|---|\n{table}\n"
    )


def parts_row(parts: Sequence[TrainingPart]) -> str:
    """Each training's data and random seed."""
    return "; ".join(
        f"{part.images:,} samples of `{_flow(part.model_dump(include=DATASET))}`, seed {part.seed}"
        for part in parts
    )


def _counted(broken: Collection[str]) -> str:
    """How many, and some of them; nothing where there are none."""
    return f"{len(broken):,}: {named([*broken])}" if broken else ""


def _changed(recipe: Recipe) -> dict[str, Any]:
    """The recipe's options that are not the defaults, without its data and folders."""
    own = recipe.config.model_dump(mode="json", exclude_defaults=True)
    elsewhere = ("name", "objective", "tower", "start", "teacher", "data", "text_encoder")
    return {name: value for name, value in own.items() if name not in elsewhere}


def _flow(plain: Any) -> str:
    """Plain data as YAML in one line."""
    text = yaml.safe_dump(plain, sort_keys=False, default_flow_style=True, width=10**6)
    return " ".join(text.split())
