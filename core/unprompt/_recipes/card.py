"""The model card that stands beside a trained checkpoint."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import Any

import yaml

from unprompt._members.training import TrainingPart
from unprompt._recipes.loop import TrainingResult
from unprompt._recipes.recipe import EmbeddingConfig, Recipe

DATASET = {"plugin", "options"}


def card(
    recipe: Recipe,
    result: TrainingResult,
    *,
    start: str,
    parts: Sequence[TrainingPart],
    checkpoint_hash: str,
    seconds: float,
) -> str:
    """A Markdown card: what it is, the command, data, seeds, steps, time and score.

    Args:
        recipe: What was trained.
        result: What came of it.
        start: SHA-256 of the checkpoint that training started from; empty for random ones.
        parts: The trainings behind that one, and this one.
        checkpoint_hash: SHA-256 of the checkpoint written.
        seconds: All of the training, opening the images included.
    """
    config = recipe.config
    parameters = sum(parameter.numel() for parameter in result.model.parameters())
    scores = ", ".join(f"{name} {value:.4f}" for name, value in result.scores.items())
    teacher = config.teacher if isinstance(config, EmbeddingConfig) else None
    rows = {
        "command": f"`unprompt train {recipe.path}`",
        "objective": config.objective,
        "parameters": f"{parameters:,} while training; stored as float16",
        "data": f"`{_flow(recipe.dataset.plain())}`, of which the last {config.validation} held "
        "out",
        "start": f"checkpoint with SHA-256 `{start}`" if start else "",
        "teacher": f"`{teacher.path.name}`" if teacher else "",
        "all parts, the start's included": parts_row(parts),
        "seed": str(config.seed),
        "steps": f"{result.steps:,} of {config.batch_size} images, {config.epochs} epochs",
        "time": f"{seconds / 60:.0f} minutes on {os.cpu_count()} cores ({platform.machine()})",
        "score on the held-out images": scores,
        "SHA-256 of the checkpoint": f"`{checkpoint_hash}`",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items() if value)
    return (
        f"# {config.name}\n\nA small tower for the painter world, written by its recipe; "
        f"not for real images.\n\n| | |\n|---|---|\n{table}\n"
    )


def parts_row(parts: Sequence[TrainingPart]) -> str:
    """Each training's data and random seed."""
    return "; ".join(
        f"{part.images:,} images of `{_flow(part.model_dump(include=DATASET))}`, seed {part.seed}"
        for part in parts
    )


def _flow(plain: Any) -> str:
    """Plain data as YAML in one line."""
    text = yaml.safe_dump(plain, sort_keys=False, default_flow_style=True)
    return " ".join(text.split())
